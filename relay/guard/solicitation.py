"""Proposals to talk or to pay elsewhere, with no contact in them yet.

A proposal is a few ideas said near each other: an app and a word of moving to it; a number, whose,
and a word of asking; cancelling and paying. Telling of such things ("driver minta bayar cash lalu
cancel") or refusing them proposes nothing.
"""

from __future__ import annotations

import re
from typing import Final

from .phrases import near, pattern_of, phrases

#: Apps to talk in.
_APP_WORDS: Final = pattern_of(
    any="wa w.a w.a. wanya wamu waku whatsapp~ whatsapps whatsap whatsaap wasap~ wasapp watsap "
    "watsapp whatsup watshap wassap telegram~ tele ig~ insta~ instagram~ fb~ facebook~ messenger "
    "zalo viber wechat imo signal michat kakao discord imessage skype line lineku japri japrian",
    id="chat_hijau aplikasi_hijau app_hijau chat_biru aplikasi_biru aplikasi_sebelah app_sebelah "
    "chat_pribadi",
    jv="aplikasi_ijo",
    en="green_app blue_app",
)
_APP: Final = re.compile(_APP_WORDS + r"(?!\s?\d)")
#: To talk there and nowhere else: enough beside an app's name.
_MOVE: Final = phrases(
    id="pindah pindahin pindah_ke pindahan lanjut lanjutin ngobrol* kontek* kontakan japri* "
    "tukeran tuker simpan simpen catat add* tambahin follow* folow* minta mnta mnt mintak bagi "
    "bagi2 kirimin ganti_ke hubungi_saya hubungi_aku chat_saya chat_aku kabari_saya pake_aja "
    "bisa_kontak bisa_lewat boleh_lewat kontak_lewat",
    jv="pindah lanjut njaluk nyuwun dijapri",
    su="ngalih pindah teraskeun nyuhunkeun menta",
    ms="sambung tukar borak",
    en="move switch continue reach_me text_me message_me msg_me hit_me contact_me add_me find_me "
    "talk_on chat_on dm_me ping_me let's lets instead what's_your whats_your what_is_your",
    tl="lipat usap pahingi penge i-add message_mo text_mo chat_mo",
    vi="qua nhan ket_ban noi_chuyen lien_he chuyen_qua chuyen_sang cho_em_xin cho_xin xin",
)
#: Words that make a proposal of any mention of an app close by.
_PROPOSE: Final = phrases(
    id="aja aj ajah saja yuk yok yuks kuy skuy dong donk bisa_ga bisa_gak boleh bolehkah mau_ga "
    "gimana langsung_aja biar lebih_gampang lebih_enak lebih_mudah gampangan enakan je",
    jv="ae wae ben luwih_gampang luwih_penak yo",
    su="we weh wae yu atuh",
    ms="je jela jom lah lagi_senang",
    en="better easier ok? okay? please pls only",
    tl="na_lang nalang tayo",
    vi="nhe nha cho_de cho_tien duoc_khong",
)
_BY_WAY: Final = phrases(
    id="lewat lwt via di ke pake pakai pk by chat hubungi",
    jv="nang neng liwat nganggo",
    su="kana dina liwat nganggo ka",
    ms="guna melalui dalam",
    en="on via over through to using use",
    tl="sa gamit",
    vi="qua dung bang",
)
_SHARE: Final = re.compile(
    r"(?:"
    + pattern_of(
        id="minta mnta mnt boleh bagi bagi2 kasih ksh kirim share tukeran punya ada pny",
        jv="njaluk nyuwun duwe nduwe",
        su="nyuhunkeun menta gaduh boga",
        en="have got give",
        tl="may meron",
        vi="co",
    )
    + r")\s(?:\w+\s)?(?:"
    + _APP_WORDS
    + r")\s?"
    + pattern_of(
        id="nya mu dong donk ga gak nggak ngga kak ya kan",
        jv="ora po yo",
        su="teu henteu atuh",
        ms="tak",
        en="or_not",
        tl="ka kayo ba po",
        vi="khong",
    )
    + r"|(?:"
    + pattern_of(
        id="punya pny ada pake",
        jv="duwe nduwe",
        su="gaduh boga",
        en="have got",
        tl="may meron",
        vi="co",
    )
    + r")\s(?:\w+\s)?(?:"
    + _APP_WORDS
    + r")[^.!,]{0,12}\?|(?:"
    + _APP_WORDS
    + r")\s(?:me|us)(?![a-z])|(?<![a-z])(?:wa-?an|wasapan|telegraman|waan)(?![a-z])"
)

#: A number to call, whose, and to ask for it.
_NUMBER: Final = phrases(
    id="nomor~ nomer~ nmr nmrnya nmernya no~ kontak~ hp~ wanya wamu wa_nya wa_kamu",
    ms="nombor~",
    en="number numbers num contact contacts digits cellphone",
    tl="numero",
    vi="sdt so_dien_thoai so_dt so_zalo",
)
_ASK: Final = phrases(
    id="minta mnta mnt mintak bagi bagi2 pengen pgn mau boleh kasih kasi ksh tukeran tuker kirim "
    "kirimin share sharing punya berapa brp tau simpan simpen save catat catet yang_mana yg_mana "
    "tlp_ke telp_ke telpon_ke wa_ke chat_ke",
    jv="njaluk nyuwun piro pinten tak_simpen simpen",
    su="menta nyuhunkeun sabaraha pinten",
    ms="nak",
    en="share give gimme drop send get have exchange ask need save what whats what's can could may "
    "call_me_on",
    tl="pahingi penge hingi ano pwede",
    vi="xin cho",
)
_WHOSE: Final = phrases(
    id="kamu anda mbak mas kakak kak kk ka bapak ibu bu pak bang abang saya sy aku ku lu lo mu "
    "gw gue pribadi personal langsung asli langganan wa whatsapp telp telpon telepon tlp hp hape",
    jv="sampeyan panjenengan nomermu nomormu",
    su="anjeun teteh teh akang abdi",
    ms="awak akak telefon",
    en="phone your ur yours my me cell private personal mobile digits",
    tl="mo nyo niyo ko",
    vi="em anh chi sdt so_dien_thoai so_dt",
)
_OWN_NUMBER: Final = phrases(
    id="nomermu nomormu nomerku nomorku hpmu kontakmu kontaknya tukeran_nomor tukeran_nomer "
    "tuker_nomor tuker_nomer tukeran_kontak tukeran_no nomor_pribadi nomer_pribadi no_pribadi "
    "minta_nomor minta_nomer minta_kontak",
    ms="nak_nombor minta_nombor bagi_nombor",
    en="exchange_numbers swap_numbers exchange_contacts",
)
#: What else has a number.
_THING: Final = phrases(
    id="rumah~ unit~ blok~ kamar~ plat~ polisi~ pesanan~ order~ orderan~ booking~ resi~ kursi~ "
    "lantai~ antrian~ antri penerbangan gate~ peron~ meja~ kendaraan motor~ mobil~ tower gedung "
    "kode sepatu urut invoice~ tiket~ rekening~ pintu apartemen bus nota apa_aja rt rw laporan~ "
    "transaksi~ pelanggan~",
    jv="omah",
    su="imah bumi",
    ms="bilik tempahan",
    en="flight house room seat plate car order booking unit gate platform building bus floor door",
    tl="bahay plaka",
    vi="nha phong xe cua tang",
)

#: Meeting inside the app is what is wanted.
_BY_THE_APP: Final = re.compile(
    r"""
    (?: lewat | lwt | via | di | dari | pake | pakai | through | in | on | using | sa | qua | liwat
      | ka | dalam | dina ) \s+ (?: the\s+ | this\s+ | chat\s+ )?
    (?: app | apps | aplikasi | aplikasine | sini | ung\sdung | gojek | grab | maxim ) (?![a-z])
    | (?:ใน|ผ่าน)\s?แอ[พป]
    """,
    re.VERBOSE,
)
_NOT_BY_THE_APP: Final = re.compile(
    r"""
    (?<![a-z])
    (?: di\s?luar | luar | tanpa | tanpo | outside(?:\sof)? | off | without | ngoai
      | (?: sa\s )? labas\sng | di\sjaba | ing\snjaba | njobo
      | (?: gausah | ga | gak | nggak | ngga | tidak | tak | ora | teu | jangan | jgn | not | no
          | dont | don't | khong | khoi | huwag | wag )
        \s+ (?:\w+\s+){0,2}?
        (?: lewat | via | di | dari | pake | pakai | pesan\sdi | through | in | on | using | use
          | need | qua | nganggo | dina | guna | ke )
    )
    \s+ (?: the\s+ | dari\s+ )?
    (?: app | apps | apl | aplikasi | aplikasine | platform | sistem | ung\sdung | apk | order )
    (?![a-z])
    | off[- ]?app | นอก\s?แอ[พป] | ไม่ต้อง(?:ผ่าน|ใช้)\s?แอ[พป]
    """,
    re.VERBOSE,
)
_DEAL: Final = phrases(
    id="langsung saya sy aku offline nego bayar cash murah lebih aja transfer gampang yuk bisa "
    "luarin kita hubungi tunai",
    jv="kulo ae luwih mbayar",
    su="abdi we weh mayar",
    en="me cheaper direct directly cash pay ok call",
    tl="bukas mura bayad",
    vi="em goi tien",
)

_CANCEL: Final = re.compile(
    r"""
    (?<![a-z])
    (?: (?:di|i-)? (?: cancel | cansel | kensel | kansel | kancel ) (?:in|kan|led|no|keun)?
      | (?:di)? batal (?:in|kan|no|keun)? | ccl | cncl | bolay (?:keun)? | huy
      | klik\sselesai | selesai(?:in|kan)?\sdulu )
    (?![a-z]) | ยกเลิก
    """,
    re.VERBOSE,
)
#: To pay, or to ride, all the same.
_ALL_THE_SAME: Final = phrases(
    id="langsung bayar* cash kes tunai transfer tf offline luar diluar murah manual tetep tetap "
    "ttp tetap_jalan saya_anter saya_antar nanti_saya",
    jv="mbayar tetep kulo_terke",
    su="mayar angger abdi_jajap",
    ms="terus",
    en="pay direct directly cash cheaper still outside",
    tl="diretso deretso bayad magbayad sakin",
    vi="tien_mat tra_tien truc_tiep ngoai",
    th="จ่าย โอน เงินสด",
)
#: Somebody else did it, or it is over.
_TOLD: Final = phrases(
    id="drivernya driver_chat driver_minta driver_suka driver_nya dia katanya kata_driver malah "
    "tadi kemarin sudah_saya_cancel dicancel_driver sepihak sudah_bayar udah_bayar sudah_transfer "
    "sering selalu padahal_sudah kecewa aplikasinya refund saldo dikembalikan pelayanan bintang "
    "cs customer_service operator kenapa ga_bisa gak_bisa tidak_bisa gabisa oknum sudah_ga "
    "sudah_gak udah_ga udah_gak tiba-tiba tiba2 otomatis ada_yang banyak_driver",
    en="driver_asked drivers he_asked always refund support why cancelled_by",
)

_DIRECT: Final = re.compile(
    r"""
    (?<![a-z])
    (?:
      # pay, order, book ... directly (from) me
      (?: transfer | tf | bayar | mbayar | mayar | pay | pesen | pesan | order | book | call | hire
        | sewa | booking | tra | goi )
      \s+ (?:\w+\s+){0,2}? (?: langsung | direct | directly | privately | terus | thang
        | truc\stiep )
      \s* (?: ke | ka | kat | nang | to | with | lewat | sama )? \s*
      (?: saya | aku | abdi | kulo | me | em | anh | next | aja )
    | (?: pay | transfer | call | contact | book | hire | order ) \s (?:to\s)? me
      \s (?: direct | directly | instead | in\scash\sinstead | privately )
    | (?: lewat | ke | sama | via ) \s+ (?: saya | aku | abdi | me )
      \s+ (?: langsung | aja\slangsung )
    | (?: langsung | direct ) \s+ (?:\w+\s+)?
      (?: call | booking | pesan | pesen | order | bayar | transfer | we\ska )
      \s+ (?: ke\s | ka\s | sama\s )? (?: saya | aku | abdi | na\slang | me )
    | direct\sbooking | ke\srekening\s(?: saya | aku | ku | abdi ) | call\ssaya\sterus
      # a wallet of one's own
    | (?: kasih | mintain | scan ) \s+ qris | qris \s+ (?: saya | aku | ku | pribadi )
      # a ride that the app knows nothing of
    | (?: kalo | kalau | nek | mun | aja | ae | mode ) \s+ off?line
    | off?line \s+ (?: aja | yuk | ya | saja | langsung | dong | order | pribadi | price | wae | ae
        | weh | saya )
    | (?: carter | charter | langganan | borongan | nego | private\strip )
      \s+ (?: langsung | pribadi | di\sluar | luar | ke\ssaya | sama\ssaya | saya )
    )
    (?![a-z])
    """,
    re.VERBOSE,
)
_REFUSAL: Final = re.compile(
    pattern_of(
        id="jangan* jgn jngn ga_mau gak_mau nggak_mau ngga_mau ga_boleh gak_boleh nggak_boleh "
        "tidak_boleh ga_bisa gak_bisa nggak_bisa tidak_bisa gabisa gaboleh dilarang ga_usah "
        "gak_usah nggak_usah gausah ga_perlu gak_perlu tidak_perlu ga_punya gak_punya nggak_punya "
        "ga_minta gak_minta maaf_ga maaf_gak maaf_tidak",
        jv="ojo ora_oleh ora_usah ora_duwe",
        su="ulah tong entong teu_kedah teu_gaduh",
        ms="tak_boleh tak_payah tak_perlu",
        en="never do_not don't dont can't cannot must_not not_allowed no_need_to won't",
        tl="huwag wag bawal",
        vi="dung khong_can khong_duoc",
    )
    + r"\s+(?:\w+\s+){0,3}?"
    + pattern_of(
        id="minta mnt kasih cancel* dicancel* batal* dibatal* bayar wa whatsapp wasap chat pindah "
        "nomor nomer no transfer di_luar diluar ke ig fb tele line offline telp telpon simpan "
        "tuker lewat",
        su="tukeur",
        ms="save guna",
        en="pay share give ask call text save move use cancel",
    )
    + r"|อย่า|ห้าม"
)
_THAI: Final = re.compile(
    r"""
      (?: ขอ | แลก | มี | แอด | ให้ | เพิ่ม ) [^\n]{0,8} (?: เบอร | ไลน | เฟส | ไอดี | ไอจี | ช่องทาง )
    | (?: คุย | ทัก | แชท | ติดต่อ | ไป | ย้าย ) [^\n]{0,14} (?: ไลน | เฟส | ไอจี )
    | (?: จ่าย | โอน ) [^\n]{0,20} (?: ตรง | นอกแอ | ผมเลย | พี่เลย )
    | เรียก [^\n]{0,10} ตรง
    """,
    re.VERBOSE,
)
_CLAUSE_END: Final = re.compile(r"[,;\n]|[.!?]\s")
#: How near each other, in characters, ideas of one proposal stand.
_CLOSE, _NEAR, _FAR = 4, 18, 50


def _moves(text: str) -> bool:
    """Whether it is proposed to talk in another app."""
    if _APP.search(text) is None:
        return False
    if _SHARE.search(text) or near(_APP, _MOVE, text, _NEAR):
        return True
    if len(text.split()) <= 3 and near(_APP, _BY_WAY, text, _CLOSE):
        return True
    return any(near(_APP, _PROPOSE, clause, _NEAR - 6) for clause in _CLAUSE_END.split(text))


def _asks_for_a_number(text: str) -> bool:
    """Whether a person's number is asked for."""
    if _NUMBER.search(text) is None or near(_NUMBER, _THING, text, 12):
        return False
    whose = _OWN_NUMBER.search(text) is not None or near(_NUMBER, _WHOSE, text, 16)
    return whose and near(_NUMBER, _ASK, text, 24)


def solicits(folded: str) -> bool:
    """Whether a message proposes to talk or to pay elsewhere."""
    outside = _NOT_BY_THE_APP.search(folded) is not None
    if _TOLD.search(folded) or (_REFUSAL.search(folded) and not outside):
        return False
    if _THAI.search(folded) or _DIRECT.search(folded):
        return True
    if outside and _DEAL.search(folded):
        return True
    if near(_CANCEL, _ALL_THE_SAME, folded, _FAR):
        return True
    if _BY_THE_APP.search(folded):
        return False
    return _moves(folded) or _asks_for_a_number(folded)
