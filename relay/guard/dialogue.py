"""One-time codes: who asks for one, and what answers.

A request is a few ideas said together, in any order: a secret, or a code and how it came; and a
word of handing it over. Whoever warns ("jangan kasih OTP") or only tells ("OTP belum masuk") asks
for nothing, and the codes of a ride (gate, pickup, parcel, order) are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .context import HARD
from .numbers import gap_level
from .phrases import near, phrases
from .tokens import Unit

#: "OTP" with signs between its letters, and as they are spoken.
_OTP: Final = re.compile(
    r"""
    (?<![a-z0-9])
    (?: [o0][\W_]{0,3}t[\W_]{0,3}p | [o0]+h?[ -]?te[ -]?p[ei] | otipi )
    (?= (?:\s?-?(?:nya|ny|ne|na|mu|ku|e|u|2))? (?![a-z0-9]) )
    | โอทีพี
    """,
    re.VERBOSE,
)

#: What is a secret whoever names it: one-time codes, passwords, a wallet's or a card's PIN.
_SECRET: Final = phrases(
    short="otp~ otp_nya tac tacnya tac_code mpin cvv cvv2 cvc pass_code passcode kode_cvv",
    id="kod*_verif* k0de_verif* angka_verif* nomor_verif* nomer_verif* no_verif* pin_verif* "
    "kod*_rahasia kod*_aktivasi kod*_keamanan kod*_konfirmasi kod*_otentikasi kod*_autentikasi "
    "kod*_login kod*_masuk_akun kod*_sms kod*_wa kod*_whatsapp kod*_akses kod*_unik_dari_sms "
    "angka_rahasia nomor_rahasia pin_rahasia password~ pasword~ passwordnya kata_sandi~ sandi~ "
    "tiga_angka_di_belakang tiga_angka_belakang~ 3_angka_di_belakang 3_angka_belakang~ "
    "3_digit_di_belakang 3_digit_belakang",
    jv="kode_rahasiane sandine angka_rahasiane",
    su="kode_rusiah kodeu_rusiah sandina",
    ms="kod_pengesahan kod_keselamatan kod_pengaktifan nombor_tac no_tac kata_laluan laluan",
    en="verif*_code* verif*_number* verif*_pin verif*_digits security_code security_pin "
    "confirmation_code login_code log_in_code sms_code authentication_code auth_code "
    "activation_code whatsapp_code one_time_code one-time_code one_time_pass* one-time_pass* "
    "one_time_pin one-time_pin secret_code secret_pin",
    vi="ma_xac_nhan ma_xac_minh ma_xac_thuc ma_bao_mat ma_kich_hoat ma_otp mat_khau",
    th="รหัสยืนยัน รหัสลับ รหัสผ่าน รหัสotp รหัส_otp รหัสsms รหัส_sms รหัสใน รหัสที่ รหัสหกหลัก รหัส6 รหัส_6 พิน",
)

_PIN: Final = phrases(
    id="pin~ mpin~ nomor_pin no_pin kode_pin",
    ms="nombor_pin",
    vi="ma_pin",
)
_WALLET: Final = phrases(
    id="gopay~ go-pay~ ovo~ dana~ shopeepay~ spay~ linkaja~ isaku sakuku atm~ bca~ bri~ bni~ bsi "
    "mandiri btn cimb jago seabank blu jenius livin brimo m-banking mbanking m_banking banking "
    "rekening~ kartu~ akun~ dompet saldo ewallet e-wallet wallet",
    ms="tng maybank bank kad akaun ewallet grabpay boost",
    tl="gcash maya paymaya",
    vi="momo zalopay vi the_ngan_hang",
    th="ทรูมันนี่",
)

#: What may be a secret, or one of a ride's many codes.
_CODE: Final = phrases(
    id="kode~ kod* k0de~ koda kodenipun kodenya2",
    su="kodeu~ kodeuna",
    en="code codes c0de pin pins",
    vi="ma ma_so",
    th="รหัส",
)
_NUMBERS: Final = phrases(
    id="angka~ digit~ nomor nomornya nomer nomernya pin~ no~",
    ms="nombor nombornya",
    en="number numbers digits",
    vi="so cac_so day_so",
    tl="numero",
    th="เลข ตัวเลข",
)
#: How a one-time code comes, and how long it is.
_BY_SMS: Final = phrases(
    id="sms~ smsnya pesan_singkat notif* inbox kotak_masuk nyasar kesasar kekirim salah_kirim "
    "keliru_kirim salah_masukin verif* login ke_hp dari_hp dari_ponsel ke_nomor ke_nomer ke_no "
    "di_hp",
    jv="nang_hp neng_hp ning_hp",
    su="ka_hp dina_hp",
    ms="mesej tersalah* tersilap* silap_hantar terhantar",
    en="text_message sms_message code_text the_text in_text by_text text_code your_phone "
    "by_mistake by_accident verif*",
    tl="sa_phone sa_text sa_cellphone sa_cp na-text na_text",
    vi="tin_nhan ve_may ve_dien_thoai ve_so nham",
    th="ข้อความ เอสเอ็มเอส sms",
)
_LENGTH: Final = re.compile(
    r"""
    (?<![a-z0-9]) (?: [4-8] | empat | lima | enam | delapan | genep | opat | nem | papat | lapan
      | four | five | six | eight | anim | apat | sau | bon )
    \s? -? \s? (?: digit | angka | hurup | huruf | so | chu\sso | numbers? | na\snumero
      | figures? )[a-z]* (?![a-z0-9])
    | (?:6|หก|4|สี่)\s?(?:หลัก|ตัว)
    """,
    re.VERBOSE,
)
_ARRIVED: Final = phrases(
    id="masuk* msk barusan dapat_kode dapet_kode ada_kode terima_kode terkirim dikirim* diterima "
    "terima dapat dapet muncul keluar_di sampai_di sampe_di otomatis lewat_sms",
    jv="mlebu teko",
    su="asup nembe_asup",
    ms="diterima sampai",
    en="get_a_code received receive got sent came went arrives arrived just_now popped texted",
    tl="natanggap pumasok dumating dumating na-receive",
    vi="nhan vua_nhan vua_gui gui_den gui_toi",
    th="เข้า ได้รับ ส่งไป",
)

#: Words of handing over, and of wishing it.
_GIVE: Final = phrases(
    id="kirim* krim* krm ngirim kasih* kasi* ksh "
    "ksih sebut* baca* bacain bagi* spill share* info* ketik* foto* forward* terusin teruskan "
    "screenshot* ssin ss lihat* liat* cek* tunjuk* bilang* kabari* beri berikan beritahu "
    "kasitau masukin masukkan input dikte* diktein salin copy reply balas* bisikin "
    "omongin ucap* setor* oper",
    jv="kirimno kirimke kirimna wacak* wocok* woco sebutno sebutke "
    "wenehono wenehi paringi pateni omongno ketikno",
    su="pangirimkeun kirimkeun pangmacakeun sebatkeun sebutkeun sebat* "
    "wartosan wartoskeun pasihan bejakeun ketikkeun pangnyebatkeun",
    ms="hantar* bagitahu bagitau beri taip",
    en="send give tell read share forward provide type enter reply confirm screenshot drop",
    tl="pa-send pasend paki-send pakisend pakibasa pabasa basahin ibigay bigay "
    "pabigay sabihin pakisabi ipasa i-send isend pa-forward i-type",
    vi="doc gui nhap chup bao dua cung_cap nhan_lai",
    th="บอก ส่ง อ่าน แจ้ง ให้ พิมพ์ แคป",
)
_WISH: Final = phrases(
    id="minta mintain mnta mnt mintak tolong tlg tlong butuh perlu",
    jv="njaluk jaluk nyuwun tulung",
    su="menta nyuhunkeun punten",
    ms="nak",
    en="need want help",
    tl="pahingi penge",
    vi="xin cho",
    th="ขอ",
)
#: Words of asking what it is, and those that only make a request polite.
_WHAT: Final = phrases(
    id="berapa* brp brapa apa apaan mana",
    jv="piro pinten opo endi",
    su="sabaraha naon mana",
    en="what whats what's which",
    tl="ano anong",
    vi="bao_nhieu la_gi gi",
    th="อะไร เท่าไร เท่าไหร่",
)
_POLITE: Final = phrases(
    id="dong donk atuh boleh bisa ya",
    en="can could may please pls plz",
    tl="nyo niyo po",
)
_HURRY_UP: Final = phrases(
    id="buruan cepet cepetan cepat keburu expired kadaluarsa kadaluwarsa hangus segera sekarang",
    ms="cepat sekarang_juga",
    en="hurry quick quickly expires expire asap now",
    vi="nhanh gap",
    th="ด่วน เร็ว",
)
_READ_OUT: Final = phrases(
    id="sebutkan sebutin bacain bacakan diktein diktekan forward* terusin terusan",
    jv="wacakno wacakke sebutno",
    su="pangmacakeun sebatkeun pangnyebatkeun",
    en="read_me read_out read_it_out",
    tl="pakibasa pabasa",
)
_SMS: Final = phrases(
    id="sms~ notif* inbox",
    ms="mesej",
    en="text_message that_text the_text",
    vi="tin_nhan",
    th="sms",
)
_CONTENT: Final = phrases(
    id="isi* angka* kode* bunyi* foto* ss ssin screenshot* bacain bacakan baca yang_di_sms "
    "yg_di_sms tulisan* dapat_apa forward* terusin teruskan",
    jv="unine isine wacak*",
    su="eusina eusi pangmacakeun",
    en="says say content read screenshot",
    vi="doc noi_dung so",
)

#: Whose code it is when it is nobody's secret.
_OF_THE_RIDE: Final = phrases(
    id="pintu gerbang pagar gate pickup pick_up jemput* penjemputan booking pesanan* pemesanan "
    "order* resto* restoran promo voucher diskon referral pos area parkir* lift loker wifi wi-fi "
    "ride trip perjalanan naik unit kamar antri* invoice resi rumah blok lantai plat* kursi "
    "telepon telp kendaraan polisi meja batch gedung tower apart* lobby lobi penumpang driver "
    "merchant kasir makanan pengambilan ambil paket penerima* pengiriman titip* bayar pembayaran "
    "transaksi tiket boarding kupon qr portal basement kos kost satpam security komplek kompleks "
    "perumahan cluster",
    jv="lawang regol omah",
    su="panto imah",
    ms="pintu tempahan pesanan tempat_letak bungkusan poskod",
    en="door gate pickup order booking restaurant promo voucher postal parking lift locker ride "
    "trip unit room queue invoice tracking parcel lobby building wifi elevator seat ticket house "
    "plate pick-up collection",
    tl="pinto bahay",
    vi="cua cong dat_xe don_hang don phong nha toa_nha buu_dien",
    th="ประตู ห้อง ออเดอร์ จอง พัสดุ ไปรษณีย์",
)
_IN_THE_APP: Final = phrases(
    id="di_aplikasi di_app di_apps aplikasinya layar di_layar",
    en="in_the_app in_your_app on_the_app on_your_app on_screen on_your_screen",
    ms="dalam_app dalam_aplikasi",
    tl="sa_app",
    vi="tren_app tren_ung_dung",
    th="ในแอป ในแอพ",
)

#: Refusing, forbidding, warning.
_NEGATION: Final = phrases(
    id="jangan* jgn jngn jan janganlah jgnlah ga_pernah ga_usah ga_akan ga_mau ga_boleh gak_pernah "
    "gak_usah gak_akan gak_mau gak_boleh nggak_pernah nggak_usah nggak_akan nggak_mau "
    "nggak_boleh ngga_pernah ngga_usah ngga_boleh ngga_mau ngga_akan gk_usah gk_boleh tidak_pernah "
    "tidak_akan tidak_perlu tidak_boleh tidak_mau tdk_boleh tdk_pernah tdk_akan dilarang gausah "
    "gapernah gaboleh gamau hati-hati hati2 hati_hati awas waspada penipu modus rahasiakan "
    "bukan_minta bukan_otp emoh",
    jv="ojo ojok aja_nganti aja_diwenehno aja_diwenehke ora_tau ora_usah ora_oleh ora_pernah "
    "mboten_nate mboten_usah mboten_pareng ampun",
    su="ulah tong entong montong teu_kungsi teu_kenging teu_pernah teu_meunang",
    ms="tak_pernah tak_akan tak_perlu tak_payah tak_boleh tak_mau usah",
    en="never do_not don't dont won't wont not_share not_give not_send not_ask no_one nobody "
    "beware be_careful scam* fraud shouldn't cannot",
    tl="huwag* wag hindi di_dapat di_pwede bawal",
    vi="dung khong_bao_gio khong_duoc khong_can khong_nen khong cam tuyet_doi_khong lua_dao",
    th="อย่า ห้าม ไม่ ระวัง",
)
#: A negation that urges: "don't worry, ..." forbids nothing.
_URGING: Final = re.compile(
    phrases(
        id="jangan jgn jngn ga_usah gak_usah gausah nggak_usah",
        jv="ojo ora_usah",
        su="ulah tong",
        ms="tak_payah",
        en="don't dont do_not never",
        tl="huwag wag",
        vi="dung khong",
    ).pattern
    + r"\s+"
    + phrases(
        id="lama* lelet lupa* lambat pelit telat takut kuatir khawatir kawatir ragu* bingung "
        "salah* sampai sampe panik curiga kelamaan lewat_dari",
        jv="suwe lali kesuwen wedi",
        su="hilap lami sieun",
        ms="risau bimbang lupa",
        en="worry forget be_late delay be_afraid mind panic wait",
        tl="mag-alala mag_alala kalimutan matakot",
        vi="lo so quen ngai",
    ).pattern
)
#: After a warning these begin another thought.
_HOWEVER: Final = phrases(
    id="tapi tp tetapi kecuali cukup",
    jv="nanging ning",
    su="tapina",
    en="but except just",
    tl="pero",
    vi="nhung",
    th="แต่",
)
_TO_ME: Final = re.compile(
    r"""
    [,.;!] \s*
    (?: kirim | kasih | kasi | share | send | give | bacain | sebutin | hantar | bagi | forward )
    [a-z]* \s (?: \w+ \s ){0,2}? (?: saya | aku | sini | gue | gw | me | us ) (?![a-z])
    """,
    re.VERBOSE,
)
#: Telling what happened: who asked, what has not come, what is not given.
_TOLD: Final = phrases(
    id="ga_kasih gak_kasih nggak_kasih ngga_kasih tidak_kasih ga_dikasih gak_dikasih ga_saya_kasih "
    "gak_saya_kasih nggak_saya_kasih tidak_saya_kasih ga_masih ada_yang_minta ada_yg_minta "
    "yang_minta yg_minta yang_ngaku yg_ngaku ada_yang_nanya ada_yang_tanya ada_yang_ngaku "
    "gojek_minta grab_minta maxim_minta aplikasi_minta cs_minta petugas_minta driver_asli "
    "dia_minta diminta dimintain dimintai minta_minta otw kena_tipu "
    "ketipu ditipu",
    jv="ora_tak_kei sing_njaluk",
    su="nu_menta teu_dipasihan",
    ms="tak_bagi yang_minta",
    en="asked_me asks_for asked_for asking_for someone_asked anyone_asks who_asks if_anyone",
    tl="nanghihingi humihingi",
    vi="ai_hoi",
)
#: It has not come: nothing is asked for, unless it is to be handed over all the same.
_NOT_COME: Final = re.compile(
    phrases(
        id="ga gak gk ngga nggak enggak tidak tdk belum blm kok_ga",
        jv="ora durung",
        su="teu teu_acan",
        ms="tak belum",
        en="not no never didn't didnt haven't havent can't cannot",
        tl="hindi wala",
        vi="chua khong",
        th="ไม่ ยังไม่",
    ).pattern
    + r"\s*(?:\w+\s+){0,2}?"
    + phrases(
        id="masuk* msk dikirim* terkirim kekirim diterima terima dapat dapet muncul sampai sampe "
        "nyampe keluar dateng datang",
        jv="mlebu teko",
        su="asup",
        en="received receive receiving get got getting come coming came arrive arrived sent otp "
        "sms code",
        tl="natanggap dumating",
        vi="nhan den",
        th="เข้า ได้รับ มา",
    ).pattern
)
_HARMLESS_SECRET: Final = re.compile(
    r"""
    (?<![a-z]) (?: wi-?fi | ssid | hotspot | pintu | gerbang | gate | door | lift | lobby | lobi
      | pagar | loker | locker | portal | gedung | apart[a-z]* | kos | komplek[a-z]* | cluster
      | perumahan | satpam ) (?![a-z])
    """,
    re.VERBOSE,
)

_AS_LETTERS: Final = str.maketrans("013457", "oieast")
_DIGIT_IN_WORD: Final = re.compile(
    r"(?<![a-z0-9])(?:[a-z]+[013457][a-z013457]*|[013457][a-z-]+)(?![0-9])"
)
_SPELT_OUT: Final = re.compile(r"(?<![a-z0-9])(?:[a-z][ .*_-]){3,}[a-z](?![a-z0-9])")
_SIGNS: Final = re.compile(r"[ .*_-]")
_FOUR_DIGITS: Final = re.compile(r"\d{4}")
#: A secret named in so few words is asked for.
_FEW_WORDS: Final = 4


def _plain(folded: str) -> str:
    """The text with digits in words read as letters, and words spelt out put together."""
    text = _OTP.sub("otp", folded)
    text = _DIGIT_IN_WORD.sub(lambda match: match.group().translate(_AS_LETTERS), text)
    return _SPELT_OUT.sub(lambda match: _SIGNS.sub("", match.group()), text)


def _secret(text: str) -> bool:
    """Whether a secret is named."""
    if _SECRET.search(text):
        return "otp" in text or _HARMLESS_SECRET.search(text) is None
    return near(_PIN, _WALLET, text, 12)


def names_code(folded: str) -> bool:
    """Whether a one-time code, a wallet's PIN or a password is spoken of."""
    text = _plain(folded)
    return _secret(text) and _TOLD.search(text) is None and _NOT_COME.search(text) is None


def _warns(text: str) -> bool:
    """Whether the message warns of giving codes, rather than asks for one."""
    plain = _URGING.sub(" ", text)
    warning = _NEGATION.search(plain)
    if warning is None:
        return False
    rest = plain[warning.end() :]
    return _HOWEVER.search(rest) is None and _TO_ME.search(rest) is None


def requests_code(folded: str) -> str:
    """The rule by which a message asks the other to say a secret code, or nothing."""
    text = _plain(folded)
    if _warns(text) or _TOLD.search(text):
        return ""
    gives = _GIVE.search(text) is not None
    if not gives and _NOT_COME.search(text):
        return ""
    gives = gives or _WISH.search(text) is not None
    asks = gives or _WHAT.search(text) is not None
    polite = asks or "?" in text or _POLITE.search(text) is not None
    if _secret(text):
        if polite or _BY_SMS.search(text) or _ARRIVED.search(text) or _HURRY_UP.search(text):
            return "secret_asked"
        if len(text.split()) <= _FEW_WORDS and not _FOUR_DIGITS.search(text):
            return "secret_named"
        return ""
    if not polite:
        return ""
    if _SMS.search(text) and _CONTENT.search(text):
        return "sms_asked"
    code = _CODE.search(text) is not None
    if not (code or _NUMBERS.search(text)):
        return ""
    if near(_CODE if code else _NUMBERS, _OF_THE_RIDE, text, 24):
        return ""
    if _BY_SMS.search(text):
        return "code_asked" if gives or code or _LENGTH.search(text) else ""
    if _IN_THE_APP.search(text):
        return ""
    if code and _READ_OUT.search(text):
        return "dictate"
    if _ARRIVED.search(text):
        return "code_asked" if code and asks else ""
    known = gives or (code and asks)
    return "code_asked" if known and _LENGTH.search(text) and not _PIN.search(text) else ""


class Row(NamedTuple):
    """Digits with only signs or words of filling between them, and where they stand.

    `free` of them are in no hard context, such as a price or a time.
    """

    digits: str
    start: int
    end: int
    free: int

    def __repr__(self) -> str:
        return f"Row({self.start}:{self.end})"


def rows_of(folded: str, units: list[Unit], contexts: list[int]) -> Iterator[Row]:
    """The rows of a text's digits."""
    first = 0
    while first < len(units):
        after = first + 1
        while after < len(units):
            if gap_level(folded[units[after - 1].end : units[after].start]) > 1:
                break
            after += 1
        row = units[first:after]
        free = sum(
            len(unit.digits)
            for unit, context in zip(row, contexts[first:after], strict=True)
            if context != HARD
        )
        yield Row("".join(unit.digits for unit in row), row[0].start, row[-1].end, free)
        first = after


def code_spans(
    folded: str, units: list[Unit], contexts: list[int], least: int
) -> list[tuple[int, int]]:
    """Rows of `least` to 9 digits that a code could be, as spans of the folded text."""
    return [
        (row.start, row.end)
        for row in rows_of(folded, units, contexts)
        if least <= len(row.digits) <= 9 and row.free
    ]
