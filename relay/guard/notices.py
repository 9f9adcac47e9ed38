"""Safety notices: short texts shown with a message, in the language of whoever reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .policy import FindingClass

#: Notice id to locale to text. Every id has Indonesian and English.
NOTICES: Final[Mapping[str, Mapping[str, str]]] = {
    "number_removed": {
        "id": "Angka dalam pesan ini disembunyikan demi keamanan. Gunakan chat dan telepon di "
        "aplikasi selama perjalanan.",
        "en": "Digits in this message were hidden for safety. Use the app's chat and call during "
        "the trip.",
        "ms": "Angka dalam mesej ini disembunyikan demi keselamatan. Guna sembang dan panggilan "
        "dalam aplikasi.",
    },
    "contact_removed": {
        "id": "Kontak dalam pesan ini disembunyikan demi keamanan. Gunakan chat dan telepon di "
        "aplikasi selama perjalanan.",
        "en": "A contact in this message was hidden for safety. Use the app's chat and call during "
        "the trip.",
        "ms": "Maklumat hubungan dalam mesej ini disembunyikan demi keselamatan. Guna sembang dan "
        "panggilan dalam aplikasi.",
    },
    "never_share_code": {
        "id": "Jangan pernah memberikan kode OTP, PIN, atau kata sandi kepada siapa pun. "
        "Pengemudi, "
        "pelanggan, dan petugas tidak pernah memintanya.",
        "en": "Never give a one-time code, PIN or password to anyone. No driver, customer or staff "
        "member ever asks for one.",
        "ms": "Jangan beri kod OTP, PIN atau kata laluan kepada sesiapa. Tiada pemandu, pelanggan "
        "atau kakitangan akan memintanya.",
    },
    "code_removed": {
        "id": "Sebuah kode disembunyikan dari pesan ini. Orang yang meminta kode biasanya penipu.",
        "en": "A code was hidden from this message. Whoever asks for codes is usually a fraudster.",
        "ms": "Satu kod disembunyikan daripada mesej ini. Orang yang meminta kod biasanya penipu.",
    },
    "call_forward": {
        "id": "Jangan menekan kode seperti **21*: panggilan dan kode Anda akan "
        "diterima orang lain.",
        "en": "Do not dial codes such as **21*: your calls and codes would reach someone else.",
        "ms": "Jangan dail kod seperti **21*: panggilan dan kod anda akan diterima orang lain.",
    },
    "pay_in_app": {
        "id": "Bayar hanya lewat aplikasi atau tunai kepada pengemudi. Nomor rekening "
        "disembunyikan.",
        "en": "Pay only in the app, or in cash to the driver. The account number was hidden.",
        "ms": "Bayar hanya melalui aplikasi atau tunai kepada pemandu. Nombor akaun disembunyikan.",
    },
    "stay_in_app": {
        "id": "Tetap gunakan aplikasi untuk chat dan pembayaran. Di luar aplikasi, perjalanan Anda "
        "tidak terlindungi.",
        "en": "Stay in the app to talk and to pay. Outside it your trip is not protected.",
        "ms": "Kekal dalam aplikasi untuk berbual dan membayar. Di luar aplikasi, perjalanan anda "
        "tidak dilindungi.",
    },
}

#: The notice that goes with a class of findings. Digits that are taken out have one and the same,
#: whatever the reason: it must not say whether they were a party's own.
NOTICE_OF: Final[Mapping[FindingClass, str]] = {
    FindingClass.NUMBER: "number_removed",
    FindingClass.LINK: "contact_removed",
    FindingClass.EMAIL: "contact_removed",
    FindingClass.HANDLE: "contact_removed",
    FindingClass.ACCOUNT: "pay_in_app",
    FindingClass.OTP_REQUEST: "never_share_code",
    FindingClass.OTP_CODE: "code_removed",
    FindingClass.CALL_FORWARD: "call_forward",
    FindingClass.SOLICIT: "stay_in_app",
}


def notice_text(notice: str, locale: str) -> str:
    """The text of a notice in a locale ("id-ID", "en"), in English where there is none.

    Raises `KeyError` for an id that is not in the catalogue.
    """
    texts = NOTICES[notice]
    return texts.get(locale.replace("_", "-").partition("-")[0].lower(), texts["en"])
