"""What operators, host commands and the relay itself do that is written to the audit log."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    """One word for each act. A stored word keeps its meaning for ever: add, never reuse."""

    OPERATOR_ADD = "operator.add"
    OPERATOR_RESET = "operator.reset"
    OPERATOR_DISABLE = "operator.disable"
    OPERATOR_ENROL = "operator.enrol"
    OPERATOR_SCOPE = "operator.scope"
    SIGNIN = "signin"
    SIGNIN_FAILED = "signin.failed"
    SIGNIN_LOCKED = "signin.locked"
    SIGNOUT = "signout"

    CHANNEL_CLOSE = "channel.close"
    PARTY_TRIPS = "party.trips"

    CASE_ASSIGN = "case.assign"
    CASE_NOTE = "case.note"
    CASE_HANDOVER = "case.handover"
    CASE_CLOSE = "case.close"
    CASE_REOPEN = "case.reopen"

    EVIDENCE_READ = "evidence.read"
    EVIDENCE_WIDEN_ASK = "evidence.widen_ask"
    EVIDENCE_WIDEN_APPROVE = "evidence.widen_approve"
    EVIDENCE_WIDEN_READ = "evidence.widen_read"

    WATCH_ALARM = "watch.alarm"  # the relay's own
    WATCH_ACKNOWLEDGE = "watch.acknowledge"

    HOLD_PLACE = "hold.place"
    HOLD_RELEASE = "hold.release"

    SANCTION_IMPOSE = "sanction.impose"
    SANCTION_LIFT = "sanction.lift"
    SANCTION_APPEAL = "sanction.appeal"
    SANCTION_DECIDE = "sanction.decide"

    PRIVACY_REQUEST = "privacy.request"
    PRIVACY_EXPORT = "privacy.export"
    PRIVACY_ERASE = "privacy.erase"
    PRIVACY_RESTRICT = "privacy.restrict"

    APIKEY_NEW = "apikey.new"
    APIKEY_REVOKE = "apikey.revoke"
    KEYRING_NEW = "keyring.new"
    KEYRING_ROTATE = "keyring.rotate"
    KEYRING_RETIRE = "keyring.retire"

    AUDIT_EXPORT = "audit.export"
