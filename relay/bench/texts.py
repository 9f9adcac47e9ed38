# ruff: noqa: E501 - a row of phrases
"""What people write at a pickup: an endless stream of messages of which no two are the same.

70 % hold no digits, 28 % digits of the kind a pickup needs, 2 % a phone number, most of those in
disguise. Each is made from parts, so that nothing that remembers an earlier text has seen it.
"""

from __future__ import annotations

import itertools
import random
import unicodedata
from collections.abc import Callable, Iterator
from math import gcd
from typing import Final, NamedTuple

from ..guard.vocabulary import words

OPENINGS: Final = """
oke pak|iya kak|siap|halo bang|pagi mas|permisi bu|maaf ya kak|ok bang|sip|baik kak|hai mbak|eh bang
|yaa pak|ok siapp|sore pak|makasih bang|oh gitu|wah|duh|bentar ya|misi kak|mas|pak supir|iyaa
""".replace("\n", "").split("|")
BODIES: Final = """
saya tunggu di depan warung soto ya|udah di lobby nih|macet parah di perempatan|bentar lagi nyampe
|saya pake jaket merah bawa koper|posisi dimana ya sekarang|saya lagi turun dari lift
|mobilnya warna apa|lewat pintu samping aja|hujan deres nih jadi agak lama|saya di seberang masjid
|tolong agak cepet ya keburu telat|nanti berhenti sebelum jembatan|ga usah buru-buru santai aja
|saya nunggu di pos satpam|udah keliatan kok mobilnya|puter balik dulu di depan sana
|jalannya ditutup ada hajatan|anak saya yang turun duluan|barangnya ditaruh di bagasi aja
|mohon ditunggu sebentar lagi parkir|ketemu di halte seberang stasiun|kok arahnya malah menjauh
|saya masih di kasir bayar belanjaan|kasih tau aja kalo udah deket|motornya yang warna item kan
|rumahnya yang pagar ijo sebelah laundry|gerbang belakang dikunci muter ke utara
|acnya tolong dinyalain ya gerah banget|bisa bawa kucing ga di kandang kok|saya bareng ibu sama adek
|maaf ban saya kempes lagi ditambal|makanannya jangan sampe tumpah|titip di resepsionis aja
|sesuai titik kan|tadi kelewat gangnya|nanti langsung masuk aja ke basement|lampu merah depan belok kiri
""".replace("\n", "").split("|")
TAILS: Final = """
|ya|pak|kak|hehe|makasih|.|!|..|, makasih ya|, ditunggu|?| :)|🙏| 😀
""".replace("\n", "").split("|")
OTHER: Final = """
I'm waiting at the main gate, near the flower shop|please come to the side entrance|stuck in traffic
|kulo ngentosi wonten ngajeng masjid nggih|abdi tos di payuneun warung, antosan sakedap
|saya tengah tunggu dekat pintu masuk ni|dito na po ako sa tapat ng simbahan|wait lang po pababa na
|รออยู่หน้าประตูทางเข้าครับ|กำลังจะถึงแล้วค่ะ รถติดมาก
|anh ơi em đang đứng trước cổng chợ|xe đang kẹt đường, chờ em chút nhé|👍👍|siap 🙏🏻
""".replace("\n", "").split("|")
WITH_DIGITS: Final[tuple[Callable[[random.Random], str], ...]] = (
    lambda r: f"alamatnya jl melati no {r.randint(1, 180)} rt {r.randint(1, 12)} rw {r.randint(1, 9)}",
    lambda r: f"blok {r.choice('ABCDEF')}{r.randint(1, 40)} nomor {r.randint(1, 30)} pagar coklat pak",
    lambda r: f"plat mobilnya B {r.randint(1000, 9999)} {r.choice('KLMNS')}{r.choice('ABFT')}D kan?",
    lambda r: f"D {r.randint(1000, 9999)} ZC avanza hitam ya kak",
    lambda r: f"ongkirnya {r.randint(9, 90)}rb, saya bayar pas ya pak",
    lambda r: f"totalnya Rp {r.randint(10, 99)}.{r.randint(100, 999)} cash boleh",
    lambda r: f"saya turun jam {r.randint(5, 22)}.{r.choice(('00', '15', '30', '45'))} di lobby",
    lambda r: f"{r.randint(2, 15)} menit lagi sampai kak, lagi di lampu merah",
    lambda r: f"tower {r.choice('ABC')} lantai {r.randint(2, 30)} unit {r.randint(100, 3020)}",
    lambda r: f"gate {r.randint(1, 9)} terminal {r.randint(1, 3)} kedatangan domestik ya",
    lambda r: f"pinnya {r.randint(1000, 9999)} ya pak buat mulai jalan",
    lambda r: f"saya ber{r.randint(2, 5)} sama koper {r.randint(1, 4)} biji",
    lambda r: f"km {r.randint(1, 30)} jalan raya bogor, depan alfa",
)  # fmt: skip
_FIRST: Final = words("""
Budi Sari Agus Dewi Rina Joko Wati Hendra Yanti Bambang Fitri Dedi Lina Rudi Mira Andi Nita Eko
Ratna Iwan Sinta Bayu Mega Galih Putri Arif Wulan Dimas Ayu Yoga Intan Fajar Citra Gilang Nadia
Rizky Laras Teguh Vina Surya
""")
_SECOND: Final = words("""
Santoso Wijaya Lestari Pratama Saputra Kusuma Hidayat Nugroho Susanto Permana Siregar Hartono Utami
Setiawan Gunawan Halim Ramadhan Wibowo Anggraini Firmansyah
""")
#: Whom a message speaks to: what makes it another one than all before.
_NAMES: Final = [*_FIRST, *(f"{first} {second}" for first in _FIRST for second in _SECOND)]
#: How many messages without digits there are.
_PLAIN: Final = len(OPENINGS) * len(_NAMES) * len(BODIES) * len(TAILS)
_DIGIT_WORDS: Final = words("nol satu dua tiga empat lima enam tujuh delapan sembilan")
_ASKED: Final = ("wa aja {}", "hubungi {} ya", "{}", "no saya {} pak")
#: How many digits in a row of a number give it away.
_GIVEN_AWAY: Final = 6


class Text(NamedTuple):
    """A message, and the number that must not come out of it, if it holds one."""

    text: str
    number: str = ""


def texts(seed: int = 0, part: int = 0, parts: int = 1) -> Iterator[Text]:
    """Messages without end. Of those who share a `seed`, each `part` of `parts` gets others."""
    source = random.Random(seed * 1_000_003 + part)
    plain = _plain(part * (_PLAIN // parts) + seed * 7919)
    seen: set[int] = set()
    while True:
        drawn = source.random()
        if 0.05 <= drawn < 0.70:
            yield Text(next(plain))
            continue
        name = _NAMES[int(source.random() * len(_NAMES))]
        if drawn < 0.05:
            text = Text(f"{name}, {source.choice(OTHER)}{_tail(source.choice(TAILS))}")
        elif drawn < 0.98:
            text = Text(f"{source.choice(WITH_DIGITS)(source)}, {name}")
        else:
            text = disguised(source, new_number(source))
        known = hash(text.text)
        if known not in seen:
            seen.add(known)
            yield text


def _plain(place: int) -> Iterator[str]:
    """All messages without digits, each once, in an order without pattern from `place` on."""
    step = next(step for step in itertools.count(_PLAIN * 5 // 13) if gcd(step, _PLAIN) == 1)
    while True:
        place += 1
        rest, opening = divmod(place * step % _PLAIN, len(OPENINGS))
        rest, tail = divmod(rest, len(TAILS))
        name, body = divmod(rest, len(BODIES))
        yield f"{OPENINGS[opening]} {_NAMES[name]} {BODIES[body]}{_tail(TAILS[tail])}"


def _tail(text: str) -> str:
    return f" {text}" if text[:1].isalnum() else text


def mixed_stream(count: int = 4000) -> list[str]:
    """The first messages of such a stream."""
    return [text for text, _ in itertools.islice(texts(2), count)]


def new_number(source: random.Random) -> str:
    """A mobile number as it is dialled at home; nobody's, or anybody's."""
    return "0812" + "".join(source.choices("123456789", k=8))


def disguised(source: random.Random, number: str) -> Text:
    """A message that gives a number away, in one of the ways in which people try to."""
    shape = source.randrange(5)
    if shape == 0:
        text = f"{number[:4]}-{number[4:8]}-{number[8:]}"
    elif shape == 1:
        text = " ".join(_DIGIT_WORDS[int(digit)] for digit in number)
    elif shape == 2:
        text = ".".join(number)
    elif shape == 3:
        text = "".join(chr(0xFF10 + int(digit)) for digit in number)
    else:
        text = number
    return Text(source.choice(_ASKED).format(text), number)


_VALUE: Final = {word: str(digit) for digit, word in enumerate(_DIGIT_WORDS)}


def gives_away(text: str, number: str) -> bool:
    """Whether six digits in a row of `number` can be read in `text`."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    digits = "".join(
        _VALUE.get(word) or "".join(filter(str.isdecimal, word)) for word in plain.split()
    )
    return any(
        number[at : at + _GIVEN_AWAY] in digits for at in range(len(number) - _GIVEN_AWAY + 1)
    )
