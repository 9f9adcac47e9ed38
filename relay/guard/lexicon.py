"""Number words of the region's languages, as folded text (no capitals, no Latin accents).

A *strong* word means its digits almost wherever it stands; a *weak* one (clipped, misspelt, or a
common word of another language) counts only beside other digits. Vietnamese has a table of its own:
without its accents nearly all its number words are something else elsewhere. Stretched words
("tigaaa") are not listed: whoever looks a word up also tries it without its doubled letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from .vocabulary import words


def _table(rows: Iterable[str]) -> dict[str, str]:
    """From rows of ten columns, zero first, in which `/` parts words for the same digit."""
    return {
        word: str(digit)
        for row in rows
        for digit, column in enumerate(row.split())
        for word in column.split("/")
        if word != "-"
    }


def _numbers(**words_for: str) -> dict[str, str]:
    """From words of numbers, by name `n11="sebelas ..."`: word to digits."""
    return {word: name[1:] for name, row in words_for.items() for word in words(row)}


def squeeze(word: str) -> str:
    """The word with every letter that is repeated in a row written once."""
    last = ""
    out: list[str] = []
    for char in word:
        if char != last:
            out.append(char)
            last = char
    return "".join(out)


_STRONG_ROWS: Final = {
    "Indonesian": "nol/kosong/nul/null/nolnya satu/satunya dua/duwa/tua2/duo tiga empat/ampat lima "
    "enam/anam/onom tujuh/tujoh delapan/lapan/dilapan/delepan/lapang sembilan/sambilan/semilan",
    "of Sanskrit origin": "- - dwi tri catur - - sapta - -",
    "Javanese": "nol siji/setunggal loro/kalih telu/tigo papat/sekawan limo/gangsal enem/nenem "
    "pitu wolu/wwolu songo/sanga",
    "Sundanese": "enol hiji dua tilu opat lima genep tujuh dalapan salapan",
    "Malay": "kosong/sifar/sefr satu dua tiga empat lima enam tujuh lapan sembilan",
    "English": "zero one two three four five six seven eight nine",
    "Tagalog": "wala/sero isa dalawa tatlo apat lima anim pito walo siyam",
    "Tagalog, of Spanish origin": "- uno dos tres kuwatro/kwatro singko sais siyete otso "
    "nuwebe/nuebe",
}
_WEAK_ROWS: Final = {
    "Indonesian, clipped": "o/oh/ksg/ksng/nl/ol atu/stu/st/eka/sa du/dw tga/ga/tg "
    "mpat/pat/mpt/pt/emp/pa lma/lm/li/mo nam/nm tjh/ju/tuju/juh/tju/tj "
    "dlpn/pan/pn/delpan/dlapan/dlp/lpn/la smbln/lan/sembiln/bilan/sbln/smb/sem/mbilan",
    "Javanese, clipped or counted on": "- ji/situ/iji ro/rong/dwo tlu/telung/lu kawan/patang "
    "limang nem/nep pitung/pit/piti wol/wolung song/sangang",
    "English, as it is heard": "zro/ow wan too/wa tree/free for/fo/fower/por fiv/fayf/pip sik "
    "sevn/sebn ate/eit/eyt nain/nin",
}
_VIETNAMESE_ROW: Final = (
    "khong/hong/ko/hok/linh/le/zero mot/moot hai ba bon/tu nam/lam/nham sau bay tam chin"
)
_THAI_ROWS: Final = {
    "Thai": "ศูนย์/ศูน/สูญ หนึ่ง/นึง/เอ็ด สอง/โท สาม สี่ ห้า หก เจ็ด/เจด แปด เก้า/เก้",
    "English in Thai letters": "ซีโร่ วัน ทู ทรี โฟร์ ไฟว์ ซิกซ์ เซเว่น เอท ไนน์",
}


def _with_typos(words: Mapping[str, str]) -> dict[str, str]:
    """Longer words with a letter left out, or two swapped; none that is itself a number word."""
    out: dict[str, str] = {}
    for word, digit in words.items():
        if len(word) < 5:
            continue
        for place in range(1, len(word)):
            out[word[:place] + word[place + 1 :]] = digit
            if place + 1 < len(word):
                swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
                out[swapped] = digit
    return {word: digit for word, digit in out.items() if word not in words}


STRONG: Final[Mapping[str, str]] = _table(_STRONG_ROWS.values())
#: The first three letters of the Indonesian words: "kos", "sat", "del".
_CLIPPED: Final = _table(("kos sat - tig emp lim ena tuj del sem",))
WEAK: Final[Mapping[str, str]] = {
    **_CLIPPED,
    **_with_typos(STRONG),
    **_table(_WEAK_ROWS.values()),
}
_LONG: Final = {word: digit for word, digit in STRONG.items() if len(word) >= 5}
_SHORTENED: Final = {
    word[:place] + word[place + 1 :]: digit
    for word, digit in _LONG.items()
    for place in range(len(word))
}


def nearly(word: str) -> str:
    """The digit of a number word of which one letter is wrong, missing or too many, or nothing."""
    if "v" in word and (plain := STRONG.get(word.replace("v", "u"))):
        return plain
    if not 4 <= len(word) <= 11:
        return ""
    for place in range(len(word)):
        cut = word[:place] + word[place + 1 :]
        if digit := (_LONG.get(cut) or (_SHORTENED.get(cut) if len(word) > 4 else None)):
            return digit
    return ""


VIETNAMESE: Final[Mapping[str, str]] = _table((_VIETNAMESE_ROW,))

THAI: Final[Mapping[str, str]] = {
    unicodedata.normalize("NFKD", word): digit
    for word, digit in _table(_THAI_ROWS.values()).items()
}
THAI_PATTERN: Final = "|".join(sorted(THAI, key=len, reverse=True))

ROMAN: Final[Mapping[str, str]] = _numbers(
    n1="i", n2="ii", n3="iii", n4="iv", n5="v", n6="vi", n7="vii", n8="viii", n9="ix"
)

#: Words for whole numbers between ten and ninety-nine.
TEENS: Final[Mapping[str, str]] = _numbers(
    n10="sepuluh ten sapuluh dyis diyes sampu sepuloh",
    n11="sebelas eleven sewelas sabelas onse",
    n12="twelve rolas kalihwelas duabelas dose",
    n13="thirteen telulas tigabelas trese",
    n14="fourteen patbelas empatbelas katorse",
    n15="fifteen limolas limabelas kinse",
    n16="sixteen nembelas enambelas disisais",
    n17="seventeen pitulas tujuhbelas disisyete",
    n18="eighteen wolulas delapanbelas disiotso",
    n19="nineteen sangalas songolas sembilanbelas disinuwebe",
    n20="bente rongpuluh",
    n21="selikur",
    n25="selawe",
    n50="seket",
    n60="sewidak",
)
#: Tens that take a digit after them ("seventy eight").
TENS: Final[Mapping[str, str]] = _numbers(
    n2="twenty",
    n3="thirty trenta",
    n4="forty fourty kwarenta",
    n5="fifty singkwenta",
    n6="sixty sisenta",
    n7="seventy sitenta",
    n8="eighty otsenta",
    n9="ninety nobenta",
)
#: Written after a digit: "tujuh puluh", "dua belas", "delapan ratus".
HUNDREDS: Final[Mapping[str, str]] = {
    word: scale
    for scale, row in {
        "tens": "puluh puluhan puloh pulo muoi",
        "teens": "belas welas las",
        "hundreds": "ratus atus hundred tram",
    }.items()
    for word in words(row)
}
#: Written before a digit that is meant several times.
MULTIPLIERS: Final[Mapping[str, int]] = {
    word: times
    for times, row in {
        2: "dobel double doble dobol doubel dable dabel kembar twin",
        3: "triple tripel tripple triplet",
        4: "quadruple",
    }.items()
    for word in words(row)
}
#: Written after a digit and how many times it is meant: "empat dua kali".
TWICE: Final = frozenset(words("kali times x kaping beses"))

_PLACES: Final = {
    "Indonesian": "depan depannya dpn awal awalnya awalan tengah tengahnya belakang belakangnya "
    "blkg blkng akhir akhirnya terakhir ujung ujungnya buntut buntutnya lanjut lanjutan "
    "lanjutannya sambungan sambungannya terusannya sisanya pertama kedua ketiga muka mukanya "
    "sebelum sebelumnya sesudahnya disambung sambungin sambungkan digabung gabung gabungin "
    "gabungkan satukan satuin disatukan disatuin susun disusun urutan urutkan urutin rangkai "
    "dirangkai jejerin awali diawali ekor ekornya badannya kepalanya buntutan "
    "mundur dibalik kebalik terbalik",
    "Javanese": "mburi mburine tengahe ngarep ngarepe disambung digathuk gathukno "
    "terusane pungkasan",
    "Sundanese": "payun payunna payunan tukang tukangna hareup hareupna tungtung tungtungna heula "
    "sambungkeun hijikeun teraskeun teruskeun",
    "Malay": "mula hujung sambung cantum cantumkan gabungkan",
    "English": "first second third middle last end start beginning rest finish combine combined "
    "join together append front",
    "Tagalog": "una gitna huli unahan hulihan pagsamahin idugtong dugtong",
    "Vietnamese": "dau giua cuoi ghep noi truoc sau",
}
#: Words that tell which part of a number comes.
PLACES: Final = frozenset(word for row in _PLACES.values() for word in words(row))

_FILLERS: Final = {
    "and then": "terus trus trs trz teruskan lalu lalunya kemudian kemudiannya selanjutnya "
    "berikutnya sebelumnya sesudahnya awali diawali habis habisnya abis itu ini baru "
    "lanjut lanjutannya lanjutan sambung sambungan "
    "sambungannya mulai mulainya dan sama ama ke di yg yang lagi tapi bukan next then and after "
    "with by followed to the is it and-then banjur terusane tuluy teras selepas lepas pastu "
    "lantas simula tapos sunod at ang roi tiep sau do",
    "which part": "tengah tengahnya belakang belakangnya depan depannya depannyo awal awalnya "
    "akhir akhirnya terakhir ujung ujungnya hujung tambah ditambah first last end middle prefix "
    "suffix mburine tengahe ngarepe tukang tukangna tengahna hareup payun mukana huli gitna una "
    "cuoi dau giua sisa sisanya sisane bit kaping satuan bagian part",
    "signs by name": "tanpa spasi spasiin strip setrip garis minus dash space plus titik koma "
    "koma-koma hyphen dot comma jeda pause stop enter skip",
    "what it is": "nomerku nomorku nomornya nomernya nope noku nmrku my number "
    "numbers no nomor nomer nmr kode area pakai pake wa hp telp telpon saya aku jl rt rw "
    "blok angka angkanya digit satu2 kira",
    "particles and address": "nya nyaa eh eeh hmm ehm um uh uhm er erm ya yaa yah yo nih nah deh "
    "loh lho lah kah sih dong tuh kok kan kak kakak bang bangg pak bu mas mbak mba gan bro sis om "
    "ok oke oce okay bener betul hor ta nggih inggih kang teh atuh euy mah tea leh po opo ah nga "
    "nha nhe ma ครับ ค่ะ คะ นะ จ้า จ้ะ แล้ว แล้วก็ ต่อ ต่อด้วย",
}
#: Words that may stand between the parts of a number, as rows of letters: Thai vowels part them.
FILLERS: Final = frozenset(
    piece
    for row in _FILLERS.values()
    for word in words(row)
    for piece in (*re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKD", word)), word)
)
