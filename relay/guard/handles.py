"""Handles: the name of a platform, and near it a name that someone could look up there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .lexicon import FILLERS
from .phrases import pattern_of
from .vocabulary import words

#: Platforms, and words that announce a name on one.
_CUE: Final = (
    r"(?:"
    + pattern_of(
        platforms="ig~ i.g i_g igq igmu igque iggue insta~ inst instagram~ instagrem insta_gram "
        "ige telegram~ telegrem telgram tele~ tg line~ lineq idline wechat~ weixin facebook~ fb~ "
        "fbq efbe pesbuk facebok tiktok~ tik_tok top_tok twitter~ twiter twt discord~ dc kakao~ "
        "kakaotalk kakao_talk zalo~ viber~ skype~ snapchat~ snap bigo bigo_live michat~ threads "
        "messenger youtube~ yutub~ yt bbm pin_bb linkedin",
        labels="username~ uname usn user_name user~ user_id userid medsos~ sosmed~ handle~ akun~ "
        "akunq nickname",
    )
    + r"(?!_)|(?:ไอดี\s?)?ไลน์?|ไอดี|เฟส(?:บุ[๊]?[คก])?|ไอจี|เทเลแกรม|ทวิต|ติ๊กตอก|อินสตา)"
)
_CUES: Final = re.compile(_CUE)
_CAMERA: Final = re.compile("[📷📸]")
_DIGITS_AS_LETTERS: Final = str.maketrans("013457", "oieast")
_LEET_WORD: Final = re.compile(r"(?<![a-z0-9])(?=[a-z]*[0-9])[a-z0-9]{3,9}(?![a-z0-9])")
_MAX_CUES: Final = 4

#: A name that no one would take for a word: with a sign or digits in it.
_MARKED_NAME: Final = re.compile(
    r"""
      @ \s? [a-z0-9] [a-z0-9._]{2,30}
    | (?<![a-z0-9._@-])
      (?: [a-z][a-z0-9]* (?: [._]+ [a-z0-9]+ )+ _?      # budi.ojek_
        | _ [a-z0-9._]{3,30}                            # _budi88
        | [a-z][a-z]+ [0-9] [a-z0-9._]*                 # budi88
        | [a-z0-9]+ _ [a-z0-9._]+                       # 88_budi
        | [a-z]{4,} \# \d{4}                            # budi#1234
        | [a-z]+ (?: \s?[._]\s? [a-z0-9]+ )* [._] [a-z0-9]+
      )
      (?![a-z0-9@])
    """,
    re.VERBOSE,
)
_SIGN: Final = (
    r"(?:titik|dot|garis\s(?:bawah|ngisor|handap)|underscore|under\sscore|underskor|gach\sduoi"
    r"|strip|cham|tuldok)"
)
#: The same with its signs in words: "budi garis bawah ojek".
_SPOKEN_NAME: Final = re.compile(rf"[a-z0-9]+\s{_SIGN}\s[a-z0-9]+(?:\s(?:{_SIGN}|[a-z0-9]+))*")
_HYPHENED_NAME: Final = re.compile(r"(?<![a-z0-9])[a-z]{3,}-[a-z]{4,}(?![a-z0-9])")
#: How far from a cue, in characters, such a name may stand.
_REACH, _HYPHEN_REACH = 42, 12

#: What may stand between a platform and a name that looks like any word.
_OWNER: Final = pattern_of(
    id="id saya sy aku ku q gue gw nya itu kita kami akun acc acct nama namanya namaku abang",
    jv="kulo kula jenenge jeneng",
    su="abdi aing ngaranna na",
    en="my is account name named under as handle username uname usn user live by",
    ms="awak",
    tl="ko mo",
    vi="ten la em anh toi minh",
    th="ผม คือ ชื่อ เรา พี่",
)
_SEEK: Final = pattern_of(
    id="cari cari_aja cari_di nama akun ketik id",
    jv="golek goleki jeneng",
    su="milarian ngaran nami",
    en="search find find_me find_me_on add add_me add_me_on follow follow_me follow_me_on name "
    "account username dm look_up",
    tl="hanapin search_mo search_mo_sa",
    vi="tim ten",
    th="หา แอด เพิ่ม",
)
_TITLE: Final = r"(?:(?:kak|mas|mbak|mba|bang|pak|bu|om|tante|abang|ka)\s)?"
_NAME: Final = rf"{_TITLE}([a-z0-9._]{{3,30}}(?:\s[a-z0-9._]{{3,20}}){{0,3}})"
_GAP: Final = r"[\s:=]+"

_OWNED: Final = re.compile(rf"{_CUE}(?:{_GAP}{_OWNER})+[\s:=\"'(]+{_NAME}")
_SUFFIXED: Final = re.compile(
    r"(?<![a-z])(?:ig|insta|instagram|telegram|tele|line|wechat|facebook|fb|tiktok|twitter"
    rf"|username|user|medsos|sosmed|signal)(?:ku|nya|ne|na|e|q){_GAP}{_NAME}"
)
_SOUGHT: Final = re.compile(rf"{_SEEK}\s+{_CUE}{_GAP}(?:{_OWNER}{_GAP})*{_NAME}")
_LABELLED: Final = re.compile(
    rf"(?:{_CUE}|(?<![a-z])(?:id|eg|wa|x|sc|signal))(?:\s(?:id|saya|ku|my))?\s*[:=]\s*@?\s?{_NAME}"
)
_BESIDE: Final = re.compile(
    rf"{_CUE}\)?\s+(?:handle\s|live\s)?(?:\(\w+\)\s)?([a-z]{{7,30}})(?![a-z])"
)
_PERSON: Final = re.compile(
    rf"(?:facebook|fb|เฟส)\s+{_TITLE}((?:[a-z]{{2,12}}\s){{1,3}}[a-z]{{2,12}})(?![a-z])"
)
_FOUND_THERE: Final = re.compile(
    r"(?:cari|search|follow|namanya|namaku|nama|ketik|find|add)\s(?:aja\s|saya\s|nama\s)*"
    rf"{_NAME}\s(?:di|on|in|sa|nang|ing)\s{_CUE}"
)
_PERSON_THERE: Final = re.compile(
    rf"(?:nama(?:ku|nya)?|name)\s(?:\w+\s)?(?:di|on|sa|nang|ing)\s{_CUE}\s{_NAME}"
)
_RULES: Final = (
    (_OWNED, "owned"), (_SUFFIXED, "owned"), (_SOUGHT, "sought"), (_LABELLED, "labelled"),
    (_FOUND_THERE, "sought"), (_BESIDE, "beside"), (_PERSON, "person"), (_PERSON_THERE, "person"),
)  # fmt: skip

_AT_NAME: Final = re.compile(r"(?<![a-z0-9._])@\s?([a-z0-9_][a-z0-9._]{2,30})")
_DIGIT_OR_SIGN: Final = re.compile(r"[0-9_.]")
#: Where one meets "@ lobby", and what else has letters and a number.
_PLACE: Final = re.compile(
    r"""
    lobb?[yi] | mall? | pintu | gate | rumah | kantor | hotel | stasiun | halte | terminal | parkir
  | toko | resto | cafe | kafe | office | home | station | exit | lantai | apart | basement | drop
  | pick | jalan | plaza | tower | hall | masjid | gereja | food | jam | pukul | blok | bandara
  | airport | shelter | peron | jalur
  | (?: rs | rp | jln? | blk | km | lt | rt | rw | no | gg | kav | unit | sdn? | smp | sma | bus )
    [0-9./]
    """,
    re.VERBOSE,
)
#: A line that is no app: a shop of clothes, a queue, a train.
_OTHER_LINE: Final = re.compile(
    r"(?:toko|laundry|on|the|hot|life|red|blue|green|off|base|mrt|krl|lrt|bts|antrian)[\s-]line"
    r"|line\s?\d"
)
_COMMON: Final = frozenset(
    words(
        # particles, pronouns, question words
        "aja saja doang sih dulu nih dong deh yuk mana apa kenapa gimana bagaimana ini itu yang "
        "dari untuk buat sama dengan karena tapi kalau kalo atau juga kalian kamu anda dia mereka "
        "kami berapa ngga gatau tau memang emang kayak kaya seperti cuma hanya biar supaya tiap "
        "setiap mulu gitu begitu begini lebih kurang makin "
        # being, doing, refusing
        "tidak nggak gak enggak jangan sudah udah belum bisa boleh ada punya mau minta tolong "
        "kirim kasih lihat liat buka tutup masuk keluar jadi dipake dipakai dibuka ditutup pindah "
        "ganti pakai pake terus sampe sampai mulai hilir terima makasih "
        # times and places
        "nanti tadi sekarang kemarin besok malam pagi siang sore hari minggu bulan tahun lama baru "
        "lagi masih jarang sering pernah disini lobby rumah kantor sekolah kiri kanan atas bawah "
        "tengah depan belakang samping sebelah peron kereta mrt lrt krl bis bus manggarai bogor "
        "bekasi cikarang tangerang serpong station antrian antri queue number "
        # what is said of apps
        "aplikasi chat call video story stories status live lewat hack dihack hilang lupa error "
        "rusak mati habis penuh aktif nonaktif dihapus banned diblokir posting foto gambar reels "
        "premium group grup channel server stiker bot pribadi online offline kena viral promo "
        "iklan akun official resmi gojek grab login logout sign account check cek notif update "
        "follow following followers lowbat lemot lelet macet kepanjangan item coat out off bareng "
        "bagus jelek rame sepi nomor telepon telpon telefon "
        # people and trade
        "orang anak bapak ibu suami istri teman temanku ibuku anakku driver supir pelanggan "
        "customer kakak abang mbak mas mba bang pak bu sis gan om tante punyaku toko jualan olshop "
        "shop beli jual "
        # colours
        "kuning merah biru hijau hitam putih "
        # English
        "haha hehe wkwk the app and not don nope please here there now today later works working "
        "doesn isn was are has have will can may want need only just thank thanks"
    )
)


#: What is done to something ("dimatiin", "dibacakan") is no name.
_DONE_TO_IT: Final = re.compile(r"di[a-z]{3,}(?:in|kan)")


def _good(name: str) -> bool:
    """Whether words that stand where a name would can be one."""
    first = name.split(maxsplit=1)[0]
    return (
        len(first) > 2
        and not first.isdigit()
        and first not in _COMMON
        and first not in FILLERS
        and _DONE_TO_IT.fullmatch(first) is None
        and any("a" <= char <= "z" for char in name)
    )


def _name_length(name: str) -> int:
    """How much of what was taken for a name is one: it ends where common words begin."""
    length = 0
    for word in name.split():
        if word in _COMMON or (length and word in FILLERS):
            break
        length = name.find(word, length) + len(word)
    return length


def _without_leet(folded: str) -> str:
    """The text with platforms that are written with digits ("1nsta") in letters, as long."""

    def letters(match: re.Match[str]) -> str:
        plain = match.group().translate(_DIGITS_AS_LETTERS)
        return plain if _CUES.fullmatch(plain) else match.group()

    return _LEET_WORD.sub(letters, folded)


def _named_at(text: str) -> Iterator[tuple[int, int, str]]:
    """Names after an @."""
    for match in _AT_NAME.finditer(text):
        name = match.group(1).rstrip(".")
        marked = _DIGIT_OR_SIGN.search(name) is not None and not name[0].isdigit()
        place = _PLACE.match(name) is not None and "_" not in name
        if (marked or match.group()[1] != " ") and len(name) > 3 and not place:
            yield (*match.span(), "at")


def _marked_names(text: str, cues: list[tuple[int, int]]) -> Iterator[tuple[int, int, str]]:
    """Names with signs or digits in them, near a cue."""
    taken = {at for start, end in cues for at in range(start, end)}
    for pattern, rule in (
        (_MARKED_NAME, "near"), (_SPOKEN_NAME, "spoken"), (_HYPHENED_NAME, "hyphen"),
    ):  # fmt: skip
        reach = _HYPHEN_REACH if rule == "hyphen" else _REACH
        for match in pattern.finditer(text):
            start, end = match.span()
            if start in taken or end - start < 4 or _PLACE.match(text[start:end].lstrip("@ ")):
                continue
            if any(a - reach <= end <= a or b <= start <= b + reach for a, b in cues):
                yield start, end, rule


def find_handles(folded: str) -> Iterator[tuple[int, int, str]]:
    """Spans of the folded text that hold handles, and the rule that found each."""
    text = _without_leet(folded)
    yield from _named_at(text)
    others = [match.span() for match in _OTHER_LINE.finditer(text)]
    cues = [
        match.span()
        for pattern in (_CUES, _CAMERA)
        for match in pattern.finditer(text)
        if not any(start <= match.start() < end for start, end in others)
    ][:_MAX_CUES]
    if not cues and ":" not in text and "=" not in text:
        return
    yield from _marked_names(text, cues)
    for pattern, rule in _RULES:
        for match in pattern.finditer(text):
            if any(start <= match.start() < end for start, end in others):
                continue
            start, name = match.start(1), match.group(1)
            if _good(name):
                yield start, start + _name_length(name), rule
