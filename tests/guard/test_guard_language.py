# ruff: noqa: RUF001 - messages as people write them, with all of Unicode
"""The rules about words, language by language: what they must catch and what they must leave."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.guard import Action, Entry, FindingClass, Guard, Memory
from relay.guard.phrases import forms, near, phrases

COUNTRY = {"ms": "MY", "tl": "PH", "th": "TH", "vi": "VN"}


def found(text: str, language: str = "id") -> set[str]:
    guard = Guard(COUNTRY.get(language, "ID"))
    return {str(f.finding_class) for f in guard.screen(Memory(), "driver", text, 0).findings}


def cases(text: str) -> list[tuple[str, str]]:
    """Lines of a language, a colon and a message."""
    return [(line[:2], line[3:].strip()) for line in text.strip().splitlines() if line.strip()]


def all_of(text: str) -> Callable[[Callable[[str, str], None]], Callable[[str, str], None]]:
    return pytest.mark.parametrize(("language", "text"), cases(text))


@all_of("""
id:kak tolong kirimin kode yang barusan masuk ya
id:bang itu kode 6 digitnya apa ya
id:oh te pe nya berapa bu
id:o t p nya pak
id:k0de yg msk td brp kak
id:untuk dapat cashback silahkan kirim PIN gopay bapak
id:kodenya nyasar ke hp kakak, tolong kirim balik ya
id:3 angka di belakang kartu apa
id:jgn khawatir kak cuma kode verifikasi aja, kirim ke saya
id:jangan kasih ke orang lain ya, kirim ke saya aja kode otpnya
id:itu sms masuk isinya apa?
id:minta 4 angka terakhir di sms dong
id:OTPnya jangan lama2 keburu hangus
id:kak ini sistem minta kode dari hp kakak
en:u got a 6 digit number by text, whats it
jv:mas kodene sing mlebu sms piro
jv:wacakno sms sing lagi mlebu kuwi
jv:pin gopaymu piro
su:kang punten kodeu nu asup kana sms sabaraha
su:kode genep angka na naon
en:I accidentally sent a code to your phone, please share it
en:what does the text message say
en:whats ur grabpay pin
en:forward me that code
ms:boleh bagi kod TAC?
ms:saya tersilap hantar kod ke nombor awak, boleh bagi?
tl:ano po yung code na natanggap nyo
tl:ano mpin mo sa gcash
id:bu tadi saya salah masukin nomer, kodenya nyangkut di hp ibu. minta dibacain ya
id:pls kak kodenyaa, 1 menit lagi expired
id:ora iso mlaku nek durung ngekei kode sing nang wa lho buk
id:saya lupa pin, itu kode resetnya masuk ke hp ibu, bacain
id:kak udah ada sms?
id:yg enam angka itu loh
en:did something pop up on your phone?
th:ขอรหัส OTP หน่อยครับ
th:ช่วยอ่านรหัสใน sms ให้หน่อย
vi:cho em xin mã OTP
vi:chị gửi em 6 số trong tin nhắn
""")
def test_who_asks_for_a_code_is_warned_about(language: str, text: str) -> None:
    assert "otp_request" in found(text, language)


@all_of("""
id:jangan kasih OTP ke siapapun ya kak
id:saya gak pernah minta kode OTP
id:ada yg ngaku gojek minta otp, penipuan ya?
id:OTP belum masuk jadi ga bisa login tadi
id:PIN perjalanannya berapa kak?
id:PIN 4 digit di aplikasi kak tolong
id:kode gerbang 1234#
id:tiba2 ada otp masuk ke hp saya, bapak ya?
id:pin atm saya lupa jadi belum bisa ambil uang, mampir bank bentar
id:kalau bapak minta kode verifikasi saya laporkan ya
id:saya kirim kode pintunya ya
en:I got an otp I didn't ask for, weird
id:kak kode pesanan gofoodnya berapa?
id:kode pengambilan paket 8821
id:password wifi lobby apa ya
id:plat nomornya berapa pak
id:kirim sms aja kalau sudah di depan
id:tolong share pin lokasi
id:barusan masuk tol
id:bisa masuk ke dalam komplek kak? kode akses tinggal bilang ke satpam
jv:ojo ngekei kode OTP yo
jv:kode lawange piro mas
su:ulah masihan kode otp ka sasaha
su:kode panto na sabaraha
en:never share your OTP with anyone
en:what's your ride PIN?
en:text me when you get here
en:can you send the location pin again
ms:jangan bagi kod tac kepada sesiapa
ms:kod tempahan apa ya
tl:huwag ibigay ang OTP
tl:ano po yung gate code
th:อย่าบอกรหัส OTP ใคร
th:รหัสประตูอะไรคะ
vi:đừng đưa mã OTP cho ai
vi:mã cửa là bao nhiêu
""")
def test_warnings_and_the_codes_of_a_ride_are_left_alone(language: str, text: str) -> None:
    assert not found(text, language)


@all_of("""
id:boleh minta nomor WA nya kak?
id:w.a aja ya ka
id:WA an aja yuk
id:kak cancel aja ya, bayar langsung ke saya
id:tolong cancel orderannya, saya tetap antar kok
id:di luar aplikasi aja lebih murah kak
id:tukeran nomor yuk
id:scan qris pribadi saya ya
id:gausah lewat aplikasi kak, nego aja
id:bisa kontak lewat wa ga kak
en:whatsapp me
jv:pindah WA ae yo
jv:nomermu piro?
su:gaduh wa teu?
su:bolaykeun we, mayar langsung ka abdi
en:let's move to whatsapp
en:just pay me directly, app takes too much
en:drop me your digits
ms:ada wasap tak
ms:boleh bagi nombor telefon?
tl:sa viber na lang tayo
tl:cancel mo na lang, sakin ka na magbayad
id:cape sama potongan 20 persen kak, matiin aja ordernya kita jalan manual
id:di app 70rb, ke saya 50rb aja bu
id:transfer ke rekening istri saya aja ongkosnya jgn lewat sini
id:tolak aja dulu orderannya bu, nanti saya tetep jemput kok, ongkos kasih ke saya
jv:sesuk langsung telpon aku wae ora usah pesen
su:enjing mah ulah pesen deui, langsung ka abdi weh nya
th:แอดไลน์คุยกันดีกว่า
th:ยกเลิกแล้วจ่ายเงินสดให้ผมเลย
vi:cho em xin số điện thoại
vi:qua zalo nói chuyện nhé
""")
def test_proposals_to_leave_the_platform_are_seen(language: str, text: str) -> None:
    assert "solicit" in found(text, language)


@all_of("""
id:jangan minta wa dong kak
id:kenapa minta nomor wa saya pak?
id:jangan lewat sini pak, macet, langsung lurus aja
id:enggak ah pak, jangan lewat luar aplikasi, ga ada asuransinya
id:dapat potongan harga, langsung bayar pakai gopay
id:langganan saya warung depan itu
tl:cash po bayad ko, wala laman gcash ko
id:hubungi lewat aplikasi saja
id:bayar cash ya kak
id:maaf kak saya cancel ya, ban bocor
id:nomor saya sesuai aplikasi
id:no rumah berapa?
id:pindah ke seberang aja kak biar gampang
id:saya lagi di line 2 dekat pintu
id:driver minta cancel terus bayar langsung, mohon ditindak
id:order dibatalkan padahal sudah bayar pakai gopay
id:boleh diinfokan nomor pesanannya kak?
id:langsung hubungi saya kalau sudah di lobi
id:nanti hubungi saya langsung aja ya kalau sampai
id:bisa langsung ke saya di pintu 3
id:jangan dicancel kak saya otw tunai ya
id:lewat depan aja, wa saya ga bunyi
jv:lewat kidul wae pak
su:wa haji di bumi teu?
en:I'm outside the lobby
en:can you cancel? wrong pickup
en:what's your plate number?
ms:saya kat luar lobi
tl:nasa labas na po ako
th:จ่ายเงินสดนะคะ
vi:anh gọi qua ứng dụng nhé
""")
def test_paying_calling_and_cancelling_in_the_app_are_left_alone(language: str, text: str) -> None:
    assert not found(text, language)


@all_of("""
id:tekan *21*081234567890# ya kak biar sinyal bagus
id:pencet * * 6 7 * lalu nomor ini #
id:ketik bintang dua satu bintang kosong lapan satu dua pagar
id:##002#
id:jangan dial **62*0812345#
id:tolong alihkan panggilan ke nomor saya
jv:alihno telpon nang nomerku
en:dial star star two one star then this number hash
en:set up call forwarding for me
ms:alihkan panggilan telefon ke nombor ni
tl:i-forward mo yung tawag dito
th:โอนสายมาที่เบอร์นี้
vi:chuyển hướng cuộc gọi giúp em
""")
def test_call_forwarding_is_blocked(language: str, text: str) -> None:
    verdict = Guard(COUNTRY.get(language, "ID")).screen(Memory(), "driver", text, 0)
    assert verdict.action is Action.BLOCK


@pytest.mark.parametrize("text", ["cek pulsa *123#", "kode pintu 3456#", "*888# aja", "no 21 #3"])
def test_other_dialling_codes_are_left_alone(text: str) -> None:
    assert not found(text)


@all_of("""
id:rek BCA 1234567890 an Budi
id:bca satu dua tiga empat lima enam tujuh delapan sembilan nol atas nama budi
id:transfer ke mandiri 1310 0123 4567 8
id:gopay saya 9012 3456 7788
en:account number 123456789012 DBS
ms:maybank 114012345678
tl:bdo 001234567890
th:กสิกร 1234567890
vi:stk 19012345678901 techcombank
id:nomor kartu saya 5221 8430 1179 6602
""")
def test_numbers_of_accounts_are_a_class_of_their_own(language: str, text: str) -> None:
    assert "account" in found(text, language)


@all_of("""
id:sudah saya transfer Rp. 7.276.285,00 ya min
id:pesanan TRX5088893091 atas nama Yanto total 1,6jt
id:kecewa, saldo gopay Rp747.000 hilang tgl 25012024
id:transfer 150000 ke bca
id:Anda menerima transfer 155rb dari Putri pada 28082024 8-18. Saldo 8rb
id:no resi 110012345678 jne, bayar cod
id:sudah saya transfer gopay 50000 + 5000
""")
def test_amounts_dates_and_references_are_no_accounts(language: str, text: str) -> None:
    assert not found(text, language)


@all_of("""
id:ig: rina.ayu
id:cari aja di ig budisantoso99
id:t3legram budi_ojol
id:1nstagram contohmas
id:usernya budi_ojol di tele
id:ig gue dian titik pratiwi
id:tele grup @parkir_rame
id:cari fb Kak Rina Jaya
id:namaku di facebook Mas Bejo Ojek
jv:golek ig mas.bejo yo
su:milarian fb Asep Sunandar
en:my username is johnnyboy on telegram
en:facebook John Smith
ms:cari fb Ahmad Faizal
tl:search mo sa fb Juan Cruz
th:ไลน์ผม somchai99
th:แอดไลน์ line_somchai ได้เลย
vi:zalo em tuan.nguyen
id:punya saya dede_kopling
id:nama saya tomi.dasi.kupu disana
id:michat ada kok, namanya cantikaaputri
id:search facebook "ojek mak rini" ya bun
""")
def test_handles_are_seen(language: str, text: str) -> None:
    assert "handle" in found(text, language)


@all_of("""
id:budi(at)gmail(dot)com
id:budisantoso et gmail titik com
id:b u d i @ g m a i l . c o m
id:email: budi 88 di gmail
id:budi88@gmail,com
vi:tuan a còng gmail chấm com
tl:juan at yahoo tuldok com
su:surel abdi asep at gmail dot com
id:ketiknya linda terus at terus ymail titik com
id:jimel saya sopian.hadi
id:rina titik marlina di gmail
""")
def test_addresses_are_seen(language: str, text: str) -> None:
    assert "email" in found(text, language)


@all_of("""
id:wa titik me garing 62812
id:t[.]me/budi
id:wa . me / 62812
id:w a . m e / 62812
id:wa.me∕62812
id:budi.carrd.co
id:buka 198.51.100.7/cek
id:hxxps://wa.me/62
id:ojekbudi.web.id
th:line.me/R/ti/p/@somchai
vi:zalo chấm me gạch chéo 0912
id:te titik em e slash sopir
id:gabung: bit ly / grupojol
""")
def test_links_are_seen(language: str, text: str) -> None:
    assert "link" in found(text, language)


@all_of("""
id:lokasi: https://maps.app.goo.gl/AbC123
id:sudah sampai.di depan pagar
id:ketemu @ lobby ya
id:samping toko line cat rt02/09
id:lagi live tiktok ya pak haha
id:akun saya namanya putri
id:toko komputer dot com sebelah kiri
id:facebook marketplace barangnya saya ambil
ms:line teruk kat basement ni
id:youtube nya dimatiin pak
id:fb saya kena hack
id:rs. harapan kita, jl. kh. ahmad dahlan no.5
id:tower A: lobby utara
id:dr. rina, sp.og
en:signal is bad here
en:ok.see you
en:i'm at gmail building lol
""")
def test_places_and_talk_about_apps_are_no_contacts(language: str, text: str) -> None:
    assert not found(text, language)


REQUESTS = {
    "id": "kirim kode otp yang masuk sms", "en": "send me the otp code", "ms": "bagi kod otp",
    "jv": "kirimno kode otp", "su": "kirimkeun kode otp", "tl": "ibigay ang otp",
    "vi": "gửi mã otp", "th": "บอกรหัสotp",
}  # fmt: skip
REFUSALS = {
    "id": ["jangan", "jgn", "ga usah", "gak boleh", "nggak akan", "tidak boleh"],
    "en": ["never", "don't", "do not", "won't"], "ms": ["jangan", "tak payah", "tak boleh"],
    "jv": ["ojo", "ora usah"], "su": ["ulah", "teu kenging"], "tl": ["huwag", "wag"],
    "vi": ["đừng", "không được"], "th": ["อย่า", "ห้าม"],
}  # fmt: skip


@pytest.mark.parametrize("language", sorted(REQUESTS))
def test_a_refused_request_is_none(language: str) -> None:
    assert "otp_request" in found(REQUESTS[language], language)
    for refusal in REFUSALS[language]:
        assert not found(f"{refusal} {REQUESTS[language]}", language)


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        ("kode otp nya berapa", "4821"),
        ("kode otp nya berapa", "itu 48 21 90"),
        ("kode yg masuk sms berapa", "empat delapan dua satu"),
        ("what's the otp", "it's 482190"),
        ("ขอรหัส OTP หน่อยครับ", "482190"),
    ],
)
def test_the_answer_to_a_request_is_withheld(request_: str, reply: str) -> None:
    for asker, withheld in (("driver", True), ("customer", False)):
        guard, memory = Guard("ID"), Memory()
        asked = guard.screen(memory, asker, request_, 0)
        memory.feed(Entry("1", asker, asked.text, 0), asked.trace)
        verdict = guard.screen(memory, "customer", reply, 1000)
        classes = {f.finding_class for f in verdict.findings}
        assert (FindingClass("otp_code") in classes) is withheld


STREETS = ("Sudirman", "Melati", "17 Agustus 1945", "Raya Serpong KM 12", "H. Nawi")
AREAS = ("Tebet", "Coblong", "Gubeng", "Ngaliyan", "Pondok Aren")
number = st.integers(1, 99)
addresses = st.builds(
    "Jl. {} {}, {}, {} {}".format,
    st.sampled_from(STREETS),
    st.one_of(
        number.map("No. {}".format),
        st.builds("Blok C{} No {}".format, number, number),
        st.builds("Gg. Mawar {} no {}B".format, number, number),
        st.builds("lt {} unit {}".format, st.integers(1, 40), st.integers(100, 3999)),
    ),
    st.one_of(
        st.builds("RT {:02d}/RW {:02d}".format, number, number),
        st.builds("RT.{:03d} RW.{:03d}".format, number, number),
        st.builds("rt {} rw {}".format, number, number),
    ),
    st.sampled_from(AREAS),
    st.integers(10110, 69999),
)


@settings(max_examples=300)
@given(addresses)
def test_an_address_is_left_alone(address: str) -> None:
    assert not found(address)


PRICES = st.one_of(
    st.builds("Rp {}.{:03d}".format, st.integers(1, 999), st.integers(0, 999)),
    st.builds("{}rb".format, st.integers(1, 500)),
    st.builds("Rp{}.{:03d}.000,00".format, st.integers(1, 9), st.integers(0, 999)),
)
TIMES = st.builds("{:02d}.{:02d}".format, st.integers(0, 23), st.integers(0, 59))
PLATES = st.builds("B {} XYZ".format, st.integers(1000, 9999))


@settings(max_examples=200)
@given(PRICES, PRICES, TIMES, PLATES)
def test_prices_times_and_plates_are_left_alone(a: str, b: str, at: str, plate: str) -> None:
    assert not found(f"total {a} sama parkir {b}, saya sampai jam {at} naik {plate}")


def test_the_notation_of_phrases() -> None:
    pattern = phrases(id="kode~ kod* tolong_kirim", th="รหัส")
    for text in ("kode", "kodenya", "kode-nya", "kodok", "tolong  kirim", "ขอรหัสหน่อย"):
        assert pattern.search(text), text
    for text in ("kodx1_", "tolongkirim", "akod", "kirim tolong"):
        assert pattern.fullmatch(text) is None, text
    assert forms("nomor~ wa") >= {"nomor", "nomornya", "nomormu", "wa"}
    assert "wanya" not in forms("nomor~ wa")


words = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=8)


@given(words, st.text("ab ", max_size=30))
def test_shared_beginnings_match_what_a_plain_alternation_does(rows: list[str], text: str) -> None:
    plain = re.compile(
        rf"(?<![a-z0-9])(?:{'|'.join(sorted(rows, key=len, reverse=True))})(?![a-z0-9])"
    )
    shared = phrases(any=" ".join(rows))
    assert [m.span() for m in shared.finditer(text)] == [m.span() for m in plain.finditer(text)]


def test_near_asks_for_both_apart_and_close() -> None:
    first, second = re.compile("wa"), re.compile("pindah|wa")
    assert near(first, second, "pindah ke wa", 4)
    assert not near(first, second, "pindah ke sana lalu ke wa", 4)
    assert not near(first, second, "wa", 4)


@pytest.mark.parametrize(
    ("language", "session"),
    [
        ("id", "yg terakhir 77 | sebelumnya 4102 | paling depan 085238"),
        ("id", "delapan lima delapan | jgn lupa nol di awal | 9034 | 1762"),
        ("id", "jam 08 menit 17 | harga 790 rb | nomer meja 3348, disambung"),
        ("id", "(1) 0857 | (2) 1122 | (3) 3344"),
        ("id", "nolapan duasatu | tigaempat tujuhtujuh"),
        ("en", "my singapore no: plus six five | 9143 | 0728"),
    ],
)
def test_parts_of_a_number_are_put_together(language: str, session: str) -> None:
    assert _held_back(language, session)


@pytest.mark.parametrize(
    "session",
    [
        "81500 | 82000 deh",
        "jl merdeka 082 | rt 03/05 | kodepos 40115",
        "081 gate nya? | bukan, gate 8 | 1 menit",
        "room 601 | lantai 6 | 15 menit lagi | 2108",
    ],
)
def test_small_numbers_one_after_the_other_are_left_alone(session: str) -> None:
    assert _held_back("id", session) == []


def test_what_follows_a_number_that_was_taken_out_is_left_alone() -> None:
    assert _held_back("id", "081234567890 | tunggu 10 ya | lantai 7 ya pak") == [0]


def _held_back(language: str, session: str) -> list[int]:
    """Which messages of one party were changed."""
    guard, memory = Guard(COUNTRY.get(language, "ID")), Memory()
    changed: list[int] = []
    for step, text in enumerate(session.split(" | ")):
        verdict = guard.screen(memory, "driver", text, step)
        memory.feed(Entry(str(step), "driver", verdict.text, step), verdict.trace)
        if verdict.text != text:
            changed.append(step)
    return changed
