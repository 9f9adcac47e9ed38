"""Numbers of bank and wallet accounts, which have the form of phone numbers and of order ids.

What decides is the nearest word before the digits: a bank's, or a reference's.
"""

from __future__ import annotations

import re
from typing import Final

from .cues import BANKS
from .dialogue import rows_of
from .phrases import phrases
from .tokens import Unit

_BANK: Final = phrases(
    any=BANKS,
    id="rek~ rekening~ norek~ no_rek bank banknya briva va virtual_account tf transfer* trf "
    "gopay~ go-pay ovo dana shopeepay spay linkaja sakuku isaku",
    ms="akaun tng duitnow touch_n_go",
    cards="nomor_kartu no_kartu kartu_kredit kartu_debit kartu_atm card_number card_no topup "
    "top_up isi_saldo va",
    en="acc account acct a/c acc_no acc_number paynow wire remit deposit",
    tl="gcash maya paymaya",
    vi="momo stk tai_khoan tk",
    th="บัญชี ธนาคาร โอน พร้อมเพย์ promptpay",
)
_REFERENCE: Final = phrases(
    id="order~ orderan~ pesanan~ booking invoice inv resi~ awb tiket transaksi trx ref reff "
    "pelanggan meteran token nik ktp npwp bpjs id_transaksi no_transaksi paket struk faktur "
    "laporan aduan tagihan kode_bayar kode_pembayaran imei",
    en="reference ticket tracking parcel",
)
_NAMED: Final = phrases(
    id="a.n a/n an a.n. atas_nama nama bca bri bni mandiri gopay ovo dana bsi cimb",
    jv="jeneng",
    ms="nama",
    en="name account_name under",
    tl="pangalan gcash",
    vi="ten chu_tai_khoan",
    th="ชื่อ",
)
#: Round amounts, one or several: "50.000", "50000 + 5000".
_AMOUNT: Final = r"(?:\d{1,3}(?:[. ]\d{3})+|[1-9]\d{0,3}0{2,})"
_ROUND: Final = re.compile(rf"{_AMOUNT}(?:\s?[+&,/-]\s?{_AMOUNT})*")
#: Letters or a slash right before the digits: they are part of an id.
_LABEL: Final = re.compile(r"[a-z/#][-_]?\Z")
_BEFORE, _AFTER = 28, 4
_LEAST, _MOST = 8, 23


def find_accounts(folded: str, units: list[Unit], contexts: list[int]) -> list[tuple[int, int]]:
    """Spans of account numbers, of 8 to 23 digits."""
    banks = [match.end() for match in _BANK.finditer(folded)]
    names = [match.start() for match in _NAMED.finditer(folded)]
    if not banks and not names:
        return []
    references = [match.end() for match in _REFERENCE.finditer(folded)]
    out: list[tuple[int, int]] = []
    for row in rows_of(folded, units, contexts):
        if row.free < _LEAST or len(row.digits) > _MOST:
            continue
        if _ROUND.fullmatch(folded[row.start : row.end]) or _LABEL.search(folded, 0, row.start):
            continue
        bank = max((end for end in banks if end <= row.start), default=-1)
        reference = max((end for end in references if end <= row.start), default=-1)
        named = any(0 <= start - row.end <= _AFTER for start in names)
        banked = bank > reference and row.start - bank <= _BEFORE
        if banked or (named and row.start - reference > _BEFORE):
            out.append((row.start, row.end))
    return out
