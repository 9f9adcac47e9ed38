"""What people say around one-time codes; `dialogue` judges by it."""

from __future__ import annotations

import re
from typing import Final

from .phrases import pattern_of, phrases
from .sieve import Idea, idea

#: "OTP" with signs between its letters, and as they are spoken.
OTP: Final = re.compile(
    r"""
    (?<![a-z0-9])
    (?: [o0][\W_]{0,3}t[\W_]{0,3}p | [o0]+h?[ -]?te[ -]?p[ei] | otipi )
    (?= (?:\s?-?(?:nya|ny|ne|na|mu|ku|e|u|2))? (?![a-z0-9]) )
    | โอทีพี
    """,
    re.VERBOSE,
)
#: What is a secret whoever names it: one-time codes, passwords, a wallet's or a card's PIN.
SECRET: Final = idea(
    short="otp~ otp_nya tac tacnya tac_code mpin cvv cvv2 cvc pass_code passcode kode_cvv",
    id="kod*_verif* kod*_veripikasi kod*_perif* kod*_aktip* kod*_aktif* kod*_reset* kod*_login* "
    "kod*_daftar kod*_pendaftaran kod*_konpirm* kod*_email* kod*_notif* k0de_verif* angka_verif* "
    "nomor_verif* nomer_verif* no_verif* pin_verif* kod*_rahasia~ kod*_aktivasi kod*_keamanan "
    "kod*_konfirmasi kod*_otentikasi kod*_autentikasi kod*_login kod*_masuk_akun kod*_sms kod*_wa "
    "kod*_whatsapp kod*_akses kod*_unik_dari_sms angka_rahasia nomor_rahasia pin_rahasia "
    "password~ pasword~ passwordnya kata_sandi~ sandi~ tiga_angka_di_belakang "
    "tiga_angka_belakang~ 3_angka_di_belakang 3_angka_belakang~ 3_digit_di_belakang "
    "3_digit_belakang",
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
PIN: Final = idea(
    id="pin~ mpin~ nomor_pin no_pin kode_pin",
    ms="nombor_pin",
    vi="ma_pin",
)
WALLET: Final = idea(
    id="gopay~ go-pay~ ovo~ dana~ shopeepay~ spay~ linkaja~ isaku sakuku atm~ bca~ bri~ bni~ bsi "
    "mandiri btn cimb jago seabank blu jenius livin brimo m-banking mbanking m_banking banking "
    "rekening~ kartu~ akun~ dompet saldo ewallet e-wallet wallet",
    ms="tng maybank bank kad akaun ewallet grabpay boost",
    tl="gcash maya paymaya",
    vi="momo zalopay vi the_ngan_hang",
    th="ทรูมันนี่",
)
#: Who sends codes that are nobody else's business: "kode shopee", "kode dana".
SENDER: Final = idea(
    id="gopay ovo dana shopeepay shopee spay linkaja tokopedia tokped lazada bukalapak tiktok fb "
    "facebook ig instagram telegram email gmail google akun~ bank m-banking mbanking brimo livin "
    "bca bri bni mandiri jago seabank paylater akulaku kredivo pinjol bpjs prakerja bansos",
    ms="tng maybank mysejahtera akaun",
    en="account bank wallet google paypal",
    tl="gcash maya paymaya",
    vi="momo zalopay tai_khoan ngan_hang vi",
)
#: What may be a secret, or one of a ride's many codes.
CODE: Final = idea(
    id="kode~ kod* k0de~ kd koda kodenipun kodenya2 sandi~",
    su="kodeu~ kodeuna",
    en="code codes c0de passcode pin pins",
    vi="ma ma_so",
    th="รหัส โค้ด โค๊ด",
)
#: What a code is made of, and what else has a number.
DIGITS: Final = idea(
    id="angka~ angkane digit~ deretan~ nomor_unik nomer_unik nomor_acak kombinasi",
    ms="nombor_unik",
    en="digits digit figures",
    vi="so cac_so day_so con_so chu_so",
    th="เลข ตัวเลข",
)
NUMBERS: Final = idea(
    id="nomor~ nomer~ no~ nmr pin~",
    ms="nombor~",
    en="number numbers",
    tl="numero",
)
#: How a one-time code comes.
CHANNEL: Final = idea(
    id="sms~ sms-nya smsan isinya isi_nya bunyinya tulisannya robot telpon_dari telepon_dari "
    "wotsap watsap wasap centang_ijo pesan_singkat pesan~ chat_dari notif* inbox kotak_masuk "
    "email~ emel gmail~ e-mail lewat_wa lwt_wa via_wa di_wa ke_wa dari_wa wa_masuk lewat_whatsapp "
    "via_whatsapp di_whatsapp ke_whatsapp dari_whatsapp ke_hp~ di_hp~ dari_hp~ hp_mu hp_ibu "
    "hp_bapak hp_kakak hp_kak hp_mbak hp_mas hp_bu hp_pak hp_pemesan di_ponsel~ ke_ponsel "
    "dari_ponsel ke_nomor~ ke_nomer~ ke_nmr ke_no~ di_layar~ layar_hp layar_mu",
    jv="nang_hp~ neng_hp~ ning_hp~ nang_wa~ neng_wa nang_sms neng_layar ten_hp teng_hp",
    su="ka_hp~ dina_hp~ kana_hp ka_nomer~ ka_wa dina_wa ti_hp kana_wa dina_layar",
    ms="mesej~ kat_sms kat_fon kat_telefon ke_telefon ke_fon dalam_telefon",
    en="text_message sms_message code_text the_text in_text by_text text_code a_text texted "
    "your_phone ur_phone your_cell your_number ur_number your_mobile your_whatsapp your_screen "
    "ur_screen your_inbox the_message that_message message_with notification",
    tl="sa_phone sa_text sa_cellphone sa_cp na-text na_text nagtext sa_number sa_screen itinext",
    vi="tin_nhan ve_may ve_dien_thoai ve_so toi_so ve_email ve_zalo sang_so vo_may vo_so vao_may "
    "vao_so den_may den_so tren_may tren_man_hinh",
    th="ข้อความ เอสเอ็มเอส sms มือถือ เครื่อง หน้าจอ อีเมล เมล ไลน์",
)
CAME: Final = idea(
    id="masuk masuk2 masukk msk msuk barusan barusn baru_aja dapat_kode dapet_kode dpt_kode "
    "ada_kode terima_kode ada_sms ada_di terkirim kekirim dikirim* tampil tertera ngirim_kode "
    "diterima terima nerima dapat dapet dpt muncul nongol nyangkut keluar_di sampai_di sampe_di "
    "nyampe sampe otomatis dateng datang",
    jv="mlebu mlebet teko tekan nembe_mlebet ditompo lagi_mlebu",
    su="asup nembe_asup lebet nembe_lebet katampi katarima",
    ms="diterima sampai dapat_tadi",
    en="get_a_code received receive got get sent send_you came comes went arrives arrive arrived "
    "just_now popped pop pop_up pops showed shows appeared landed texted",
    tl="natanggap pumasok dumating dumadating na-receive nareceive pinadala lumabas",
    vi="nhan_duoc vua_nhan vua_gui vua_den vua_toi vua_ve moi_den moi_ve gui_den gui_toi gui_ve "
    "bao_ve nhan hien_ra",
    th="เข้า ได้รับ ส่งไป ขึ้น เด้ง เมื่อกี้ มา",
)
LENGTH: Final = Idea(
    r"""
    (?<![a-z0-9]) (?: [4-8] | empat | lima | enam | enem | delapan | genep | opat | nem | papat
      | lapan | four | five | six | eight | anim | apat | sau | bon )
    \s? -? \s? (?: biji \s )? (?: digit | angka | hurup | huruf | so | chu\sso | numbers?
      | na\s(?:numero|digit|number) | figures? | karakter )[a-z]* (?![a-z0-9])
  | (?: digit | angka ) [a-z]* \s (?: [4-8] | empat | lima | enam | enem | genep
      | delapan ) (?![a-z0-9])
  | (?:[4-8]|หก|สี่)\s?(?:หลัก|ตัว)
    """,
    re.VERBOSE,
)
#: Stories by which a code is got out of people: it went astray, it opens, frees or wins something.
PRETEXT: Final = idea(
    id="verif* veripikasi perif* konfirm* konpirm* aktivasi* aktipasi aktifin aktifkan daftar* "
    "pendaftaran registrasi regis login log_in masuk_akun akun~ reset* ganti_hp ganti_nomor "
    "nyasar kesasar salah_kirim keliru salah_masuk* salah_nomor salah_nomer salah_ketik "
    "salah_pencet kepencet ketuker tertukar hadiah undian klaim* menang pemenang giveaway "
    "cashback bonus refund pengembalian sistem~ server error erorr blokir* diblokir terblokir "
    "terkunci kekunci ngunci* suspend cs admin* operator pusat kantor_pusat tim petugas upgrade "
    "update perbarui bansos bpjs prakerja cicilan pinjaman limit asuransi sinkron* otentikasi "
    "autentikasi tagihan tunggakan denda pembatalan pencairan cair buka_blokir ga_bisa_lanjut "
    "gak_bisa_lanjut ga_bisa_jalan ga_bisa_selesai gak_bisa_selesai tinggal_kasih tinggal_kirim "
    "tinggal_sebut* tinggal_ketik apa_susahnya biar_kebuka biar_lanjut shopee tokopedia tokped "
    "dana ovo gopay shopeepay facebook instagram tiktok",
    jv="kleru klentu daptar ndaftar keliru",
    su="lepat salah_lebet daptar moal_bisa teu_tiasa",
    ms="tersalah* tersilap* silap_hantar silap_taip terhantar pengesahan sahkan daftar hadiah",
    en="verify verif* confirm* account login log_in register* registration sign_up signup reset "
    "unlock locked blocked suspended by_mistake by_accident accidentally mistakenly wrong_number "
    "typo prize winner won claim cashback bonus refund support system security update upgrade "
    "identity",
    tl="mali maling_number nagkamali namali verify ma-verify i-verify account premyo nanalo",
    vi="nham xac_minh xac_nhan xac_thuc dang_ky dang_nhap tai_khoan khoa trung_thuong qua_tang "
    "hoan_tien tong_dai he_thong",
    th="ผิด ยืนยัน สมัคร ล็อก ระบบ บัญชี รางวัล คืนเงิน",
)
#: Words of handing over, and of wishing it.
GIVE: Final = idea(
    id="kirim* krim* krm kirimlah ngirim kasih* kasi* ngasih* ksh ksih kasihlah dibagi dikasih "
    "dikirimin sebut* nyebut* disebut* baca* bacain dibaca* bagi* spill* share* info* diinfo* "
    "ketik* tulis* tulisin foto* poto* potoin forward* fwd* terusin teruskan diteruskan "
    "screenshot* screenshoot* skrinsut* sekrinsut* ss ssin ss-in capture* tangkapan lihat* liat* "
    "lht cek* cekin tunjuk* bilang* kabari* kabarin beri berikan beritahu kasitau masukin "
    "masukkan input* dikte* diktein salin* copas* copy reply bales* balas* jawab* bisikin omongin "
    "ucap* setor* oper* lempar* balikin kembaliin sampaikan sampein tempel*",
    jv="ngekei ngekeki menehi kirimno kirimke kirimna kirimi wacak* wocok* woco waosaken "
    "diwaosaken diwacakke sebutno sebutke wenehono wenehi kekno kekke wehno paringi paring "
    "diparingaken pateni omongno ketikno diwaca* kandhani kintun* dikintun* potokno fotokno "
    "dudohno",
    su="kirimkeun teruskeun pangirimkeun kintunkeun pangintunkeun bacakeun pangmacakeun aoskeun "
    "pangaoskeun sebatkeun sebutkeun sebat* wartosan wartoskeun pasihan pasihkeun bikeun dibere "
    "bere bejakeun ketikkeun pangnyebatkeun potokeun tingalikeun",
    ms="hantar* bagitahu bagitau bgtau beri taip tunjukkan",
    en="send give tell read share forward provide type enter reply confirm screenshot drop pass "
    "text_me show dictate spell repeat paste write hit_me",
    tl="pa-send pasend paki-send pakisend pakibasa paki-basa pabasa basahin binabasa ibigay bigay "
    "pabigay pakibigay sabihin pasabi pakisabi paki-sabi ipasa i-send isend pa-forward i-forward "
    "i-type patingin padala ipadala paki-forward pakiforward paki-type",
    vi="doc gui nhap chup bao dua cung_cap nhan_lai nhan_cho noi chuyen_tiep bam chuyen_cho",
    th="บอก ส่ง อ่าน แจ้ง ให้ พิมพ์ แคป ถ่าย ก๊อป",
)
WISH: Final = idea(
    id="minta mintain mnta mnt mintak tolong tlg tlong tulung butuh perlu mohon pinjem boleh_tau "
    "boleh_tahu bole_tau pengen_tau ditunggu tunggu tungguin coba syarat~ silakan silahkan harus",
    jv="njaluk jaluk nyuwun tulung cobi jal",
    su="menta nyuhunkeun nyungkeun punten cobi cik hoyong_terang peryogi",
    ms="nak mohon sila",
    en="need want help waiting_for must pls please plz",
    tl="pahingi penge hingi kailangan paki pakiusap",
    vi="xin cho can giup gium ho dum",
    th="ขอ ช่วย รบกวน",
)
#: Words of asking what it is, and those that only make a request polite.
WHAT: Final = idea(
    id="berapa* brp brapa brpa apa apaan mana manah apa_aja apa_aj",
    jv="piro pinten opo endi pundi",
    su="sabaraha naon mana",
    en="what whats what's wats which",
    tl="ano anong",
    vi="bao_nhieu la_gi gi may",
    th="อะไร เท่าไร เท่าไหร่ ไหน กี่",
)
NUDGE: Final = idea(
    id="ayo ayok loh lho doang aja kan dong donk", jv="to tho", su="atuh we", ms="la lah je",
    en="just", tl="naman lang", vi="di nao", th="หน่อย",
)  # fmt: skip
POLITE: Final = idea(
    id="dong donk dongs atuh boleh bisa ya",
    en="can could may please pls plz",
    tl="nyo niyo po nga",
)
#: "I will send you ..." gives; it asks for nothing.
I_GIVE: Final = Idea(
    phrases(
        id="saya sy aku gw gue ane",
        jv="tak kulo",
        su="abdi",
        en="i i'll ill i've let_me",
    ).pattern
    + r"\s+(?:(?:akan|bakal|bisa|dah|udah|sudah|tadi|mau|can|will|just)\s+)?"
    + phrases(
        id="kirim* kasih* kasi* ksh share* sebut* info* ketik* tulis* bilang* kabari* kabarin "
        "masukin masukkan input* cek* lihat* liat* jawab* bales* balas* baca foto*",
        jv="kirimi kirimno kirim wenehi",
        su="kirimkeun pasihan",
        ms="hantar bagi bagitahu",
        en="send sent give gave tell told text texted share shared type typed enter entered show",
    ).pattern
)
#: Where it is to be handed over.
HERE: Final = idea(
    id="ke_saya ke_sy ke_aku ke_gw ke_gue ke_sini kesini disini di_sini",
    jv="nang_aku",
    su="ka_abdi",
    ms="kat_saya kat_sini",
    en="to_me me_the here",
    tl="sakin sa_akin dito",
)
HURRY_UP: Final = idea(
    id="buruan cepet cepetan cepat keburu expired kadaluarsa kadaluwarsa hangus segera sekarang "
    "detik telat kelewat waktunya_mepet",
    jv="ndang gek_ndang",
    su="enggal geura",
    ms="cepat sekarang_juga",
    en="hurry quick quickly expires expire asap now seconds",
    tl="bilis bilisan mabilis",
    vi="nhanh gap het_han",
    th="ด่วน เร็ว หมดอายุ",
)
READ_OUT: Final = idea(
    id="sebutkan sebutin bacain bacakan dibacain dibacakan dikte* diktein forward* terusin "
    "terusan teruskan screenshot* ssin",
    jv="wacakno wacakke sebutno woconen",
    su="pangmacakeun bacakeun sebatkeun pangnyebatkeun",
    en="read_me read_out read_it_out read_it dictate",
    tl="pakibasa pabasa basahin binabasa",
)
#: A message as such, of which what it says is wanted, or whether it has come.
SMS: Final = idea(
    id="sms~ notif* inbox pesan_masuk pesan_yang_masuk pesan_yg_masuk pesan_dari pesan_singkat "
    "chat_dari chat_dr masuk_dari_wa masuk_dari_wotsap masuk_dari_wasap wa_yang_masuk wa_yg_masuk",
    ms="mesej~",
    en="text_message that_text the_text sms message_with text_you text_u whatever_text",
    tl="text_na ng_text yung_text",
    vi="tin_nhan",
    th="sms ข้อความ",
)
CONTENT: Final = idea(
    id="isi* angka* kode* bunyi* difoto dipoto discreenshot foto* poto* ss ssin screenshot* "
    "screenshoot* skrinsut* capture* bacain bacakan dibacain baca yang_di_sms yg_di_sms tulisan* "
    "dapat_apa forward* terusin teruskan salin copas",
    jv="unine isine wacak*",
    su="eusina eusi pangmacakeun bacakeun teruskeun",
    en="says say content read screenshot forward numbers digits",
    tl="basahin pabasa forward screenshot",
    vi="doc noi_dung so chup chuyen_tiep",
    th="อ่าน แคป ถ่าย",
)
SMS_CAME: Final = Idea(
    r"(?<![a-z])ada\ssms[^.!,]{0,16}\?|(?<![a-z])sms[a-z]*\s?(?:nya|na|ne|e)?\s(?:\w+\s){0,2}?"
    r"(?:masuk|msk|nyampe|sampe|sampai|mlebu|asup|lebet|dateng|datang|dapat|dapet|keterima)"
    r"[^.!,]{0,16}\?"
)
#: Whose code it is when it is nobody's secret.
OF_THE_RIDE: Final = idea(
    id="pintu gerbang pagar gate pickup pick_up jemput* penjemputan booking pesanan* pemesanan "
    "order* resto* restoran promo voucher diskon referral pos area parkir* lift loker wifi wi-fi "
    "ride trip perjalanan naik unit kamar antri* invoice resi rumah blok lantai plat* kursi "
    "telepon telp kendaraan polisi meja batch gedung tower apart* lobby lobi penumpang driver "
    "merchant kasir makanan pengambilan ambil paket penerima* pengiriman titip* bayar pembayaran "
    "transaksi tiket boarding kupon qr portal basement kos kost satpam security komplek kompleks "
    "perumahan cluster kunci",
    jv="lawang regol omah",
    su="panto imah",
    ms="pintu tempahan pesanan tempat_letak bungkusan poskod",
    en="door gate pickup order booking restaurant promo voucher postal parking lift locker ride "
    "trip unit room queue invoice tracking parcel lobby building wifi elevator seat ticket house "
    "plate pick-up collection",
    tl="pinto bahay",
    vi="cua cong dat_xe don_hang don phong nha toa_nha buu_dien",
    th="ตึก คอนโด หมู่บ้าน ลิฟต์ อาคาร ประตู ห้อง ออเดอร์ จอง พัสดุ ไปรษณีย์",
)
IN_THE_APP: Final = idea(
    id="di_aplikasi di_app di_apps aplikasinya layar di_layar",
    en="in_the_app in_your_app on_the_app on_your_app on_screen on_your_screen",
    ms="dalam_app dalam_aplikasi",
    tl="sa_app",
    vi="tren_app tren_ung_dung",
    th="ในแอป ในแอพ",
)
#: Refusing and forbidding, of what follows in a few words; and warning, whatever follows.
NO: Final = phrases(
    id="jangan* jgn jngn jan janganlah jgnlah jangan_pernah ga gak gk nggak ngga enggak kagak "
    "tidak tdk dilarang gausah gapernah gaboleh gamau emoh ogah tanpa pantang",
    jv="ojo ojok ora mboten ampun",
    su="ulah tong entong montong teu moal",
    ms="tak usah",
    en="never not don't dont won't wont no_one nobody shouldn't cannot can't cant didn't didnt "
    "doesn't",
    tl="huwag* wag hindi di_dapat di_pwede bawal",
    vi="dung khong cam",
    th="อย่า ห้าม ไม่",
)
OF_GIVING: Final = phrases(
    id="pernah ke_siapa* kepada_siapa* sama_siapa* ke_orang* kasih* kasi* ksh dikasih* kirim* "
    "dikirim* sebut* share* dishare* bagi* dibagi* beri* diberi* bocor* dibocor* minta* diminta* "
    "mnt mnta bilang* kasitau ngasih otp kode* code sebar* disebar* tanya* nanya terima",
    jv="ngekei ngekeki ngekek* kei kekno diwenehno diwenehke wenehi wenehke menehi nate tau "
    "pernah pareng paring* maringi sebut* njaluk",
    su="masihan pasihan kungsi kenging pernah meunang bejakeun nyebatkeun dipasihkeun mikeun menta",
    ms="pernah bagi beri kongsi minta",
    en="share give send ask tell ever disclose forward reveal do requests need",
    tl="ibigay magbigay humihingi ipamigay i-share ishare sabihin",
    vi="bao_gio dua cho gui cung_cap doc chia_se tiet_lo noi",
    th="บอก ให้ ส่ง แจ้ง แชร์ ขอ เคย",
)
NEGATION: Final = Idea(
    rf"{NO.pattern}\s*(?:[\w-]+\s+){{0,2}}?{OF_GIVING.pattern}"
    r"|(?<!bukan\s)(?<!not\sa\s)(?<!bkn\s)"
    + pattern_of(
        id="hati-hati hati2 hati_hati ati2 ati-ati awas waspada penipu penipuan modus nipu "
        "rahasiakan laporkan lapor_polisi",
        jv="penipu ngapusi",
        en="beware be_careful scam* fraud",
        tl="mag-ingat scam*",
        vi="tuyet_doi_khong lua_dao canh_giac",
        th="ระวัง มิจฉาชีพ",
    )
)
#: A negation that urges: "don't worry, ..." forbids nothing.
URGING: Final = Idea(
    phrases(
        id="jangan jgn jngn ga_usah gak_usah gausah nggak_usah ngga_usah gk_usah tidak_usah "
        "tidak_perlu ga_perlu",
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
        "salah* sampai sampe nganti panik curiga kelamaan lewat_dari",
        jv="suwe lali kesuwen wedi",
        su="hilap lami sieun",
        ms="risau bimbang lupa",
        en="worry forget be_late delay be_afraid mind panic wait",
        tl="mag-alala mag_alala kalimutan matakot",
        vi="lo so quen ngai cham",
    ).pattern
)
#: After a warning these begin another thought.
#: What happens unless the code is told, and what the message itself says about telling it.
UNLESS: Final = Idea(
    phrases(
        id="kalo kalau klo kl jika bila sebelum selama",
        jv="nek yen lek sakdurunge",
        su="mun upami saacan",
        ms="kalau selagi",
        en="if unless until",
        tl="kung hangga't hanggat",
        vi="neu",
    ).pattern
    + r"\s+(?:\w+\s+){0,2}?"
    + phrases(
        id="ga gak gk nggak ngga tidak tdk tak belum blm",
        jv="ora durung gak",
        su="teu can teu_acan",
        ms="tak belum",
        en="not don't dont doesn't you",
        tl="hindi di walang",
        vi="khong chua",
    ).pattern
)
#: Making little of the warning that comes with the code.
BELITTLES: Final = idea(
    id="formalitas formalitasnya abaikan abaikan_aja cuekin hiraukan", en="ignore formality"
)
HOWEVER: Final = idea(
    id="tapi tp tetapi kecuali cukup",
    jv="nanging ning",
    su="tapina",
    en="but except just",
    tl="pero",
    vi="nhung",
    th="แต่",
)
TO_ME: Final = Idea(
    r"""
    [,.;!] \s* (?: ke | sama | kat | ka | nang ) \s (?: saya | sy | aku | gw | gue | abdi )
    \s (?: aja | saja | doang | je | wae | we | ae ) (?![a-z]) |
    [,.;!] \s* (?: (?: cukup | langsung | just | only ) \s )?
    (?: kirim | kasih | kasi | share | send | give | bacain | sebutin | hantar | bagi | forward )
    [a-z]* \s (?: \w+ \s ){0,2}? (?: saya | aku | sini | gue | gw | me | us ) (?![a-z])
    """,
    re.VERBOSE,
)
#: Telling what happened: who asked, what was lost, what is not given.
TOLD: Final = idea(
    id="ga_kasih gak_kasih nggak_kasih ngga_kasih tidak_kasih ga_dikasih gak_dikasih "
    "ga_saya_kasih gak_saya_kasih nggak_saya_kasih tidak_saya_kasih ga_masih ada_yang_minta "
    "ada_yg_minta yang_minta yg_minta yang_ngaku yg_ngaku ada_yang_nanya ada_yang_tanya "
    "ada_yang_ngaku gojek_minta grab_minta maxim_minta aplikasi*_minta aplikasi*_mnt app_minta "
    "cs_minta petugas_minta driver_asli dia_minta diminta dimintain dimintai minta_minta otw "
    "kena_tipu ketipu ditipu nipu lagi_login lagi_masukin kalau_bapak_minta kalo_bapak_minta "
    "kalau_kamu_minta kalo_kamu_minta kalau_minta kalo_minta kalau_ada_yang_minta "
    "kalo_ada_yang_minta kalo_ada_yg_minta kalau_ada_yang_tanya driver_tadi_minta "
    "driver_sebelumnya tertipu bukan_otp bukan_kode_otp bukan_minta",
    jv="ora_tak_kei sing_njaluk",
    su="nu_menta teu_dipasihan",
    ms="tak_bagi yang_minta",
    en="asked_me asks_for asked_for asking_for someone_asked anyone_asks who_asks if_anyone "
    "if_you_ask",
    tl="nanghihingi humihingi",
    vi="ai_hoi",
)
#: Trouble with a secret of one's own: told, not asked for.
FORGOTTEN: Final = idea(
    id="saya_lupa aku_lupa gw_lupa lupa_pin lupa_password hp_saya hp_aku jadi telat lama_banget "
    "lama_masuk lama_masuknya keblokir lagi_reset lagi_ganti tiba2 tiba-tiba ga_minta padahal "
    "itu_rahasia rahasia_pribadi sangat_rahasia",
    jv="aku_lali",
    su="hilap_pin",
    ms="saya_lupa lambat_sampai",
    en="i_forgot forgot_my my_otp tried_to weird is_private",
    tl="nakalimutan_ko",
    vi="em_quen",
)
#: It has not come: nothing is asked for, unless it is to be handed over all the same.
NOT_COME: Final = Idea(
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
HARMLESS_SECRET: Final = Idea(
    r"""
    (?<![a-z]) (?: wi-?fi | ssid | hotspot | pintu | gerbang | gate | door | lift | lobby | lobi
      | pagar | loker | locker | portal | gedung | apart[a-z]* | kos | komplek[a-z]* | cluster
      | perumahan | satpam ) (?![a-z])
    """,
    re.VERBOSE,
)
#: What is done with a code of so many digits.
VERIFYING: Final = idea(id="verif* veripikasi perif* aktivasi", en="verif*", vi="xac_minh xac_nhan")
#: Words of addressing and of filling.
ADDRESS: Final = idea(
    id="kak kk kaka kakak ka mas mbak mba bu ibu pak bapak bang abang bro sis gan om tante itu "
    "tadi nya ya yg yang sih kah",
    jv="sing kuwi",
    su="teh akang kang nu na eta",
    ms="tu encik puan",
    en="the is s sir mam ma'am that",
    tl="po yung ang sir",
    vi="anh chi em oi vay the cua",
    th="ครับ คะ ค่ะ พี่",
)
AS_LETTERS: Final = str.maketrans("013457", "oieast")
DIGIT_IN_WORD: Final = re.compile(
    r"(?<![a-z0-9])(?:[a-z]+[013457][a-z013457]*|[013457][a-z-]+)(?![0-9])"
)
SPELT_OUT: Final = re.compile(r"(?<![a-z0-9])(?:[a-z][ .*_-]){3,}[a-z](?![a-z0-9])")
#: A letter written several times, at the end of a word or three times anywhere.
STRETCHED: Final = re.compile(r"([a-z])(?:\1+(?![a-z])|\1{2,})")
SIGNS: Final = re.compile(r"[ .*_-]")
FOUR_DIGITS: Final = re.compile(r"\d{4}")
SAYS_DIGITS: Final = Idea(r"(?<![a-z])isi\s?nya\s(?:\w+\s){0,1}?(?:angka|digit|kode)(?![a-z])")
ON_YOUR_PHONE: Final = idea(
    id="ke_hp ke_nomor ke_nomer lewat_sms via_sms sms",
    en="your_phone ur_phone your_cell your_mobile your_screen",
)
COMES_TO_YOU: Final = Idea(
    CAME.pattern
    + r"\s+(?:\w+\s+){0,1}?"
    + pattern_of(
        id="ke_wa ke_sms ke_hp~ ke_nomor~ ke_nomer~ ke_no~ lewat_sms lewat_wa via_sms di_sms "
        "di_hp di_layar di_wa sms",
        en="to_your on_your to_ur on_ur in_your",
    )
    + r"(?!\s(?:saya|sy|aku|ku|gw|gue|my))"
)
