"""Call forwarding: dialling codes by which a fraudster receives another's calls and codes.

The supplementary-service codes are those of 3GPP TS 22.030: 21 all calls, 61 no answer, 62 not
reachable, 67 busy, 002 and 004 all of them; and the star codes of older networks (72, 73, 90, 92).
"""

from __future__ import annotations

import re
from typing import Final

from .lexicon import STRONG
from .phrases import phrases

_STAR: Final = re.compile(
    r"bintang|asterisk|asterik|(?<![a-z])(?:star|bituin|dau\ssao|sao|lintang)(?![a-z])|ดอกจัน"
)
_HASH: Final = re.compile(
    r"(?<![a-z])(?:pagar|hash|pound|kres|tagar|kotak|dau\sthang|thang)(?![a-z])"
)
_WORD: Final = re.compile(r"[a-z]+")
_BETWEEN: Final = re.compile(r"(?<=[\d*#])[\s.,-]+(?=[\d*#])")
_CODE: Final = re.compile(
    r"""
    \* [*#]? (?: 21 | 61 | 62 | 67 | 002 | 004 | 68 | 72 | 73 | 90 | 92 ) [*#]
  | \# [*#]? (?: 21 | 61 | 62 | 67 | 002 | 004 ) [*#]
  | \*\* \d{2,3} \* [^#]{0,40} \#
  | \* (?: 72 | 21 ) \d{7,15} (?!\d)
    """,
    re.VERBOSE,
)
_DIVERT: Final = re.compile(
    phrases(
        id="alih alihkan alihin pengalihan mengalihkan dialihkan pindahkan pindahin teruskan",
        jv="terusno alihno",
        su="halihkeun lihkeun alihkeun",
        ms="alihkan pindahkan",
        en="forward divert redirect forwarding",
        tl="i-forward iforward ilipat",
        vi="chuyen_huong chuyen_tiep",
    ).pattern
    + r"\s+(?:\w+\s+){0,2}?"
    + phrases(
        id="panggilan telepon telpon telp tlp nomor nomer",
        en="call calls phone incoming",
        ms="telefon panggilan",
        tl="tawag",
        vi="cuoc_goi",
    ).pattern
    + r"|(?<![a-z])call[- ]?(?:forward|divert)\w*|โอนสาย"
)
_NOT: Final = phrases(
    id="jangan* jgn jngn ga_usah gak_usah nggak_usah ga_boleh gak_boleh tidak_boleh waspada awas "
    "hati-hati hati2 tidak_bisa ga_bisa gak_bisa",
    jv="ojo",
    su="ulah tong",
    ms="tak_payah tak_boleh",
    en="don't dont do_not never beware can't cannot",
    tl="huwag wag",
    vi="dung khong",
    th="อย่า ห้าม",
)


def forwards_calls(folded: str) -> bool:
    """Whether the message holds a call-forwarding code, or asks to set one.

    A code is not excused by a warning around it: it works for whoever dials it.
    """
    signs = folded
    if _STAR.search(folded):
        signs = _HASH.sub("#", _STAR.sub("*", folded))
        signs = _WORD.sub(lambda match: STRONG.get(match.group(), match.group()), signs)
    if ("*" in signs or "#" in signs) and _CODE.search(_BETWEEN.sub("", signs)):
        return True
    return _DIVERT.search(folded) is not None and _NOT.search(folded) is None
