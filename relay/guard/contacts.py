"""Links, e-mail addresses and handles, also in broken spellings; links to maps pass."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from .handles import find_handles
from .phrases import alternation
from .vocabulary import words

#: A dot, a slash and an @, as people write them who know that they are looked for.
_DOT_WORD: Final = r"(?:dot|titik|ttk|tik|cham|tuldok|punto|จ[ุ]?ด|ดอ[ทต])"
_DOT: Final = rf"""(?:
    \s* [\[({{<] \s* (?: \. | , | {_DOT_WORD} ) \s* [\])}}>] \s*
  | \s* \. \s* | ,
  | \s* [•_*-]? \s* (?<![a-z]) (?: {_DOT_WORD} | point ) (?![a-z]) \s* [•_*-]? \s*
)"""
_SLASH: Final = r"""(?:
    \s* [/\\] \s*
  | \s* (?:[\[(]\s*)? (?: slash | garis\s?miring | miring | garing | sles | gm | gach\scheo | ทับ )
    (?:\s*[\])])? \s*
)"""
#: What the sign is likened to, after "a": a snail, a curl, a circle.
_CURL: Final = (
    r"(?:keong|cong|ong|bulat|bunder|bundar|keriting|kriting|muter|melingkar|lingkaran|siput|ekor"
    r"|kribo)"
)
_AT: Final = rf"""(?:
    \s* @ \s*
  | \s* [\[({{<] \s* (?: at | et | a | @ | add ) \s* [\])}}>] \s*
  | [\s_*-]+ (?: a[\s-]?{_CURL} | keong ) [\s_*-]+
  | \s+ (?: at | et | ad | arroba | alias | a\stron | แอท | แอด ) \s+
  | \s* [_*-]+ (?: at | et ) [_*-]+ \s*
)"""


def _host_pattern(hosts: Iterable[str]) -> str:
    """Hosts, also with a sign or a space between their letters and a broken dot."""
    between = r"[ _*'\"-]?"
    rows: list[tuple[str, ...]] = []
    for host in hosts:
        row: list[str] = []
        for place, char in enumerate(host):
            if char == ".":
                row.append(_DOT)
            else:
                inner = place > 0 and host[place - 1] != "."
                row.append((between if inner else "") + re.escape(char))
        rows.append(tuple(row))
    return alternation(rows)


#: Where people are met, and what shortens or gathers links to it.
_HOSTS: Final = words(
    # messengers and networks
    "wa.me wa.link api.whatsapp.com chat.whatsapp.com whatsapp.com web.whatsapp.com wa.com "
    "wa.wizard.id wasap.my wasap.at whatsform.com telegram.me telegram.org telegram.dog "
    "instagram.com instagr.am ig.me facebook.com fb.com fb.me fb.gg fb.watch m.facebook.com "
    "messenger.com line.me lin.ee zalo.me viber.com viber.me chats.viber.com tiktok.com "
    "vt.tiktok.com twitter.com threads.net snapchat.com discord.gg discord.com signal.me "
    "signal.group kakao.com open.kakao.com wechat.com skype.com linkedin.com michat.sg bigo.tv "
    "youtube.com youtu.be "
    # shorteners
    "bit.ly bitly.com tinyurl.com cutt.ly rebrand.ly is.gd ow.ly shorturl.at rb.gy gg.gg adf.ly "
    "v.gd onelink.to forms.gle "
    # pages of links, small shops, payments
    "linktr.ee linktree.com heylink.me lynk.id beacons.ai msha.ke taplink.cc allmylinks.com "
    "bio.link bio.site carrd.co campsite.bio solo.to about.me linkin.bio lnk.bio link.bio "
    "saweria.co trakteer.id dana.id link.dana.id gopay.co.id paypal.me"
)
#: So short that what follows must show that a host is meant.
_SHORT_HOSTS: Final = words("t.me s.id t.co x.com m.me t.ly")
#: How letters are called, for those who spell a host: "te titik em e".
_LETTER_NAMES: Final = {
    "a": "a|ei", "b": "b|be|bi|bee", "e": "e|i|ee", "f": "f|ef", "i": "i|ai", "l": "l|el",
    "m": "m|em", "o": "o", "r": "r|er|ar", "s": "s|es", "t": "t|te|ti|tee",
    "w": "w|we|wei|double\\s?y?u|dabel\\s?[uy]u?|dobel\\s?[uyw]e?u?", "y": "y|ye|way|wai|why",
    ".": r"[.,]|titik|dot|ttk|tik|point|tuldok|cham|\(dot\)|\[dot\]",
}  # fmt: skip


def _spelt_out(host: str) -> str:
    """A host of which each letter may be called by its name."""
    return r"[\s-]{0,2}".join(rf"(?:{_LETTER_NAMES[char]})" for char in host)


_SPELT_HOST: Final = re.compile(
    rf"""
    (?<![a-z0-9]) (?: {"|".join(map(_spelt_out, words("wa.me t.me m.me bit.ly fb.me")))} )
    (?![a-z0-9]) (?: {_SLASH} | \s ) [+@]? [a-z0-9._+]{{3,}}
    """,
    re.VERBOSE,
)
#: The host without its dot, and a number after it.
_NO_DOT: Final = re.compile(
    rf"""
      (?<![a-z0-9]) wa \s? me {_SLASH}? \s? \+? [\d•]{{3,}}
    | (?<![a-z0-9])
      (?: (?: wa | t | m | fb | ig | line | zalo | telegram ) [\s'"`*_~;:-]{{1,2}} me
        | (?: bit | cutt ) [\s'"`*_~;:-]{{1,2}} ly | (?: lin | linktr ) [\s'"`*_~;:-]{{1,2}} ee
        | s [\s'"`*_~;:-]{{1,2}} id )
      {_SLASH} [@+]? [a-z0-9._]{{3,}}
    """,
    re.VERBOSE,
)
_LINK_TO_A_PERSON: Final = re.compile(
    rf"""
    (?<![a-z0-9@])
    (?: (?: h\s?t\s?t\s?p\s?s? | hxxps? ) \s*:?\s* /?/? \s* )?
    (?: w\s?w\s?w \s*\.\s* )?
    (?: [a-z0-9-]{{2,40}} \. )?
    (?: {_host_pattern(_HOSTS)} | (?:{_host_pattern(_SHORT_HOSTS)}) (?= {_SLASH} | \s | $ ) )
    (?![a-z0-9])
    (?: {_SLASH} [+@]? [^\s,]* (?: \s?\d[\d ]* )? )?
    (?: [?&] \S* )?
    """,
    re.VERBOSE,
)
_SCHEME: Final = re.compile(
    r"""
      (?: https? | hxxps? | ftp ) \s*:\s* /\s*/ \s* \S+
    | (?<![a-z]) www \s*\.\s* \S+
    | (?<![a-z]) (?: whatsapp | viber | tg | skype | zalo | line | weixin | tel | sms | mailto | fb
        | instagram | intent ) \s?:\s? /?/? \s? [/?] \S+
    | (?<![a-z]) (?: tel | sms | mailto | callto ) : \S+
    """,
    re.VERBOSE,
)
_TOP_LEVEL: Final = (
    r"(?:com|net|org|io|me|id|co|link|bio|page|site|xyz|app|info|my|sg|ph|th|vn|ee|ly|gl|gg|to|gd"
    r"|cc|tv|click|shop|online|club|top|store|asia|dev|us|biz|web)"
)
#: Of those, what ends no sentence and begins none ("sampai.di depan").
_CLEAR_ENDING: Final = (
    r"(?:com|net|org|example|web\.id|co\.id|my\.id|biz\.id|or\.id|xyz|site|shop|online|store|link"
    r"|bio|app|co\.th|com\.my|com\.vn|com\.ph|com\.sg|id|vn|asia|click|info|dev|us|ee|me|page|tv|io)"
)
_HOST_AND_PATH: Final = re.compile(
    rf"""
      (?<![a-z0-9@.]) (?: [a-z0-9-]{{2,40}} \. ){{1,3}} {_TOP_LEVEL} / [^\s/] \S*
    | (?<![a-z0-9.]) [a-z0-9-]{{3,40}} (?: \.[a-z][a-z0-9-]{{1,30}} ){{1,3}} / [a-z0-9] \S*
    | (?<![\d.]) (?: \d{{1,3}} \. ){{3}} \d{{1,3}} (?: :\d{{2,5}} )? / \S*
    """,
    re.VERBOSE,
)
#: What makes "warung dot com" the name of a shop.
_SHOP: Final = (
    r"(?:cafe|kafe|coffee|kopi|resto|restoran|mart|cell|celluler|net|warnet|laundry|bakery|hotel"
    r"|kost|salon)"
)
_HOST_ALONE: Final = re.compile(
    rf"""
      (?<![a-z0-9@.]) (?<!toko\s) (?<!warnet\s) (?<!kedai\s)
      [a-z][a-z0-9-]{{2,40}} (?: \.[a-z0-9-]{{2,30}} )?
      (?: \. {_CLEAR_ENDING}
        | \s?
          (?: [\[({{]\s?(?:dot|titik|\.)\s?[\])}}]
            | (?<![a-z])(?:dot|titik|ttk|cham|tuldok)(?![a-z]) )
          \s? (?: com | net | org | id | co | me | example | xyz | link | ee )
      )
      (?![a-z0-9.-]*@) (?![a-z0-9]) (?! \s {_SHOP} (?![a-z]) )
    | (?<![a-z]) www [ .] [a-z0-9-]{{3,40}} [ .] [a-z]{{2,10}} (?![a-z])
    | (?<![a-z]) (?: linktree | linktr\see | linktre )
      (?: \s (?: kami | saya | ku | my | nya | aku ) )? \s (?: [/:] \s )? [a-z0-9._]{{4,30}}
    """,
    re.VERBOSE,
)
_MAP: Final = re.compile(
    r"""
    (?: https?\s?:\s?// )? (?: www\. )?
    (?: maps\.google\.[a-z.]{2,6} | goo\.gl/maps | maps\.app\.goo\.gl | google\.[a-z.]{2,6}/maps
      | g\.co/maps | (?:ul\.)?waze\.com | what3words\.com | w3w\.co | openstreetmap\.org | osm\.org
      | maps\.apple\.com | grab\.onelink\.me | maps\.grab\.com | here\.com | plus\.codes | maps\.me
      | petalmaps\.com | geo: )
    (?![a-z0-9.]) (?! \S* (?: wa\.me | t\.me | whatsapp ) )
    """,
    re.VERBOSE,
)

_MAIL_HOST: Final = (
    r"(?:g\s?mail|gmai1|gimel|jimel|yahoo|ymail|hotmail|outlook|icloud|rocketmail"
    r"|protonmail|proton|จีเมล์?|ฮอตเมล|ยาฮู|เอาทลุค)"
)
_MAIL_ENDING: Final = (
    r"(?:com|c[o0]m|kom|คอม|co|net|org|id|my|ph|th|vn|sg|ac|edu|go|gov|web|info|biz|me|io|cim|con)"
)
#: What stands between a name and its at-sign in words: "abis itu a keong abis itu gmail".
_THEN: Final = (
    r"(?: \s? ,? \s? (?: terus | trus | trs | lalu | abis\situ | habis\situ | abis | kemudian"
    r" | then | and\sthen | pakai | pake | with | using"
    r" | tapos | banjur | teras | roi | pastu | lepas\stu ) )?"
)
_NAME: Final = r"[a-z0-9][a-z0-9%+']{0,30}"
_NAMES: Final = rf"""
    (?<![a-z0-9]) {_NAME}
    (?: (?: \s (?: titik | dot | ttk | underscore | garis\sbawah | strip | cham | tuldok ) \s
          | \s? [._-]{{1,2}} \s? )
        {_NAME} ){{0,6}}
"""
_PLAIN_ADDRESS: Final = re.compile(
    r"""
    (?<![a-z0-9._%+-]) [a-z0-9][a-z0-9._%+-]{0,60}+ \s?@\s? [a-z0-9-]{2,40}
    (?: \s?[.,]\s? [a-z]{2,12} ){1,3} (?![a-z])
    """,
    re.VERBOSE,
)
_ADDRESS_IN_WORDS: Final = re.compile(
    rf"""
    {_NAMES} {_THEN} {_AT} {_THEN} [a-z0-9][a-z0-9 -]{{0,30}}?
    (?: {_DOT} [a-z0-9-]{{1,20}} ){{0,2}}? {_DOT} {_MAIL_ENDING}
    (?: {_DOT} (?: id | my | th | vn | ph | sg | uk | au | jp ) )? (?![a-z0-9])
    """,
    re.VERBOSE,
)
_NAME_AT_PROVIDER: Final = re.compile(
    rf"""
    {_NAMES} {_THEN}
    (?: {_AT}\s* | \s? [\#*&] \s? | \s+ (?: alias \s+ )? )
    {_THEN} \s? {_MAIL_HOST} (?![a-z])
    (?: (?: {_DOT} | \s+ ) {_MAIL_ENDING} (?![a-z]) (?: {_DOT} id )? )?
    """,
    re.VERBOSE,
)
_SIGNED_NAME_ON_PROVIDER: Final = re.compile(
    rf"""
    (?<![a-z0-9]) [a-z0-9]+
    (?: \s (?: titik | dot | ttk | underscore | garis\sbawah | strip | cham | tuldok )
      \s [a-z0-9]+ )+
    \s (?: di | pada | sa | on | in | nang | ing ) \s {_MAIL_HOST} (?![a-z])
    """,
    re.VERBOSE,
)
_SPELT_PROVIDER: Final = r"(?:g[ ._-]?m[ ._-]?a[ ._-]?i[ ._-]?l|yahoo|hotmail|outlook|icloud|ymail)"
_ON: Final = r"(?:di|pake|pakai|at|@|nang|ing|dina|sa|on|using)"
_SAID_TO_BE_MAIL: Final = re.compile(
    rf"""
      (?: e-?mail | imel | surel | emel ) \s* (?: ku | saya | aku | nya | my | is | : | = | \s )* \s
      ( (?: [a-z0-9._-]+ \s ){{1,5}}? {_ON}? \s? {_SPELT_PROVIDER} (?: {_DOT} {_MAIL_ENDING} )? )
    | ( (?: [a-z0-9]+ \s ){{1,3}} \d+ \s {_ON} \s {_SPELT_PROVIDER} )
    | ( [a-z] (?: [ .][a-z0-9] ){{2,30}}+ \s?@\s? {_SPELT_PROVIDER} (?: {_DOT} c[ .]?o[ .]?m )? )
    """,
    re.VERBOSE,
)
#: How a name that was just told is written.
_HOW_SPELT: Final = (
    r"(?: (?:huruf\s)? (?:semua\s)? (?:huruf\s)? kecil"
    r" | (?:tanpa|ga\spake|gak\spake|nggak\spakai|no)\sspasi | no\sspaces?"
    r" | all\s(?:lower|small) | lower\s?case | tanpa\stitik | disambung | digabung | nyambung )"
)
#: "my gmail is name88": what follows has a digit or a sign in it.
_NAME_AFTER_PROVIDER: Final = re.compile(
    rf"""
    (?<![a-z0-9@]) (?: {_MAIL_HOST} | e-?mail | imel | surel | emel ) (?: ku | nya | q | ne | na )?
    (?: \s (?: saya | sy | aku | aq | ku | q | gue | my | is | gw | gua | ko | abdi | kula | nama
      | namanya
      | id      | yaitu | the | saye ) | \s? [:=] ){{1,3}} \s?
    (
        [a-z][a-z._]+ \d[a-z0-9._]*
      | [a-z0-9]+ [._] [a-z0-9._]+
      | [a-z]{{6,30}} (?= [\s,(]+ {_HOW_SPELT} )
    )
    (?![a-z0-9@])
    """,
    re.VERBOSE,
)
#: What stands before "gmail" when no address is given.
_NO_NAMES: Final = frozenset(
    words(
        "cek buka lihat liat via lewat pakai pake ke dari di email mail akun punya ada no bukan "
        "the my check open your aplikasi app notif konfirmasi sign in with use new masuk kirim "
        "send saya i'm im am"
    )
)
_WORD_END: Final = re.compile(r"[\s@]")
#: Without one of these no address is looked for.
_MAIL_HINT: Final = re.compile(
    r"""
    mail | gimel | yahoo | hoo | outlook | icloud | imel | surel | @ | แอ[ทด]
    | keriting | muter | bu[ln][ad] | [\[({]a
    | (?<![a-z]) (?: at | et | keong | acong | cong ) (?![a-z])
    """,
    re.VERBOSE,
)
_PROVIDER_HINT: Final = re.compile(
    r"mail|gmai|gimel|jimel|yahoo|outlook|icloud|proton|จีเม|ฮอตเม|ยาฮู"
)


class Contact(NamedTuple):
    """A span of the folded text that holds a way to be reached."""

    kind: str
    start: int
    end: int
    rule: str


#: The forms of links, and signs of which each form holds one.
_LINKS: Final = (
    (_LINK_TO_A_PERSON, "host", ("",)),
    (_SPELT_HOST, "spelt", ("e", "y", "i")),
    (_NO_DOT, "host", ("me", "ly", "ee", "id")),
    (_SCHEME, "scheme", (":", "www")),
    (_HOST_AND_PATH, "path", ("/",)),
    (_HOST_ALONE, "bare", ("",)),
)


def _links(folded: str) -> Iterator[Contact]:
    found = [
        (match.span(), rule)
        for pattern, rule, signs in _LINKS
        if any(sign in folded for sign in signs)
        for match in pattern.finditer(folded)
    ]
    maps = [match.span() for match in _MAP.finditer(folded)] if found else []
    for (start, end), rule in found:
        if not any(a <= start <= b or start <= a < end for a, b in maps):
            yield Contact("link", start, end, rule)


def _addresses(folded: str) -> Iterator[Contact]:
    for match in _PLAIN_ADDRESS.finditer(folded):
        yield Contact("email", *match.span(), "plain")
    for match in _SAID_TO_BE_MAIL.finditer(folded):
        yield Contact("email", *match.span(match.lastindex or 0), "said")
    for match in _ADDRESS_IN_WORDS.finditer(folded):
        yield Contact("email", *match.span(), "words")
    for match in _NAME_AFTER_PROVIDER.finditer(folded):
        yield Contact("email", *match.span(1), "said")
    if _PROVIDER_HINT.search(folded):
        for match in _SIGNED_NAME_ON_PROVIDER.finditer(folded):
            yield Contact("email", *match.span(), "said")
        for match in _NAME_AT_PROVIDER.finditer(folded):
            if _WORD_END.split(match.group(), maxsplit=1)[0] not in _NO_NAMES:
                yield Contact("email", *match.span(), "provider")


def find_contacts(folded: str) -> list[Contact]:
    """Links, e-mail addresses and handles of a folded text; spans may overlap."""
    out = list(_links(folded))
    if _MAIL_HINT.search(folded):
        out.extend(_addresses(folded))
    out.extend(Contact("handle", *found) for found in find_handles(folded))
    return out
