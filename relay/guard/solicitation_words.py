"""What people say who propose to talk or to pay elsewhere; `solicitation` judges by it."""

from __future__ import annotations

import re
from typing import Final

from .phrases import pattern_of
from .sieve import Idea, idea

#: Apps to talk in.
APP_WORDS: Final = pattern_of(
    any="wa w4 wotsap w.a w.a. wanya wamu waku whatsapp~ whatsapps whatsap whatsaap wasap~ wasapp "
    "watsap watsapp whatsup watshap wassap telegram~ tele ig~ insta~ instagram~ fb~ facebook~ "
    "messenger zalo viber wechat imo signal michat kakao discord imessage skype line lineku japri "
    "japrian",
    id="logo_telepon logo_telpon chat_ijo chat_ijoo app_ijo aplikasi_ijo wa_ijo si_ijo chat_hijau "
    "aplikasi_hijau app_hijau si_hijau chat_biru aplikasi_biru aplikasi_sebelah app_sebelah "
    "chat_pribadi",
    jv="aplikasi_ijo",
    en="green_app blue_app dm",
)
APP: Final = Idea(APP_WORDS + r"(?!\s?\d)")
#: To talk there and nowhere else: enough beside an app's name.
MOVE: Final = idea(
    id="pindah pindahin pindah_ke pindahan geser lempar lemparin oper lanjut lanjutin lanjutkan "
    "terusin nyambung sambung ngobrol* kontek* kontakan japri* tukeran tuker simpan simpen catat "
    "add* tambahin follow* folow* minta mnta mnt mintak bagi bagi2 kirimin ganti_ke hubungi_saya "
    "hubungi_aku chat_saya chat_aku kabari_saya pake_aja bisa_kontak bisa_lewat boleh_lewat "
    "kontak_lewat",
    jv="pindah lanjut njaluk nyuwun dijapri",
    su="ngalih pindah teraskeun nyuhunkeun menta",
    ms="sambung tukar borak",
    en="move switch continue reach_me text_me message_me msg_me hit_me contact_me add_me find_me "
    "talk_on chat_on dm_me ping_me let's lets instead what's_your whats_your what_is_your",
    tl="lipat usap pahingi penge i-add message_mo text_mo chat_mo",
    vi="qua nhan ket_ban noi_chuyen lien_he chuyen_qua chuyen_sang cho_em_xin cho_xin xin",
)
#: Words that make a proposal of any mention of an app close by.
PROPOSE: Final = idea(
    id="aja aj ajah saja yuk yok yuks kuy skuy dong donk bisa_ga bisa_gak boleh bolehkah mau_ga "
    "gimana langsung_aja biar lebih_gampang lebih_enak lebih_mudah gampangan enakan je",
    jv="ae wae ben luwih_gampang luwih_penak yo",
    su="we weh wae yu atuh",
    ms="je jela jom lah lagi_senang",
    en="better easier ok? okay? please pls only",
    tl="na_lang nalang tayo",
    vi="nhe nha cho_de cho_tien duoc_khong",
)
BY_WAY: Final = idea(
    id="lewat lwt via di ke pake pakai pk by chat hubungi",
    jv="nang neng liwat nganggo",
    su="kana dina liwat nganggo ka",
    ms="guna melalui dalam",
    en="on via over through to using use",
    tl="sa gamit",
    vi="qua dung bang",
)
SHARE: Final = Idea(
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
    + APP_WORDS
    + r")\s?"
    + pattern_of(
        id="nya nya_mana mana mu dong donk ga gak nggak ngga kak ya kan",
        jv="ora po yo",
        su="teu henteu atuh",
        ms="tak",
        en="or_not",
        tl="ka kayo ba po",
        vi="khong",
    )
    + r"|(?:"
    + pattern_of(
        id="punya pny ada pake pakai main",
        jv="duwe nduwe",
        su="gaduh boga",
        ms="guna pakai",
        en="have got use on",
        tl="may meron",
        vi="co",
    )
    + r")\s(?:\w+\s)?(?:"
    + APP_WORDS
    + r")[^.!,]{0,12}\?|(?:"
    + APP_WORDS
    + r")\s(?:me|us|nya\s(?:mana|berapa|brp))(?![a-z])"
    + r"|(?<![a-z])(?:wa-?an|wasapan|telegraman|waan)(?![a-z])"
)
#: A number to call, whose, and to ask for it.
NUMBER: Final = idea(
    id="62~ kartu_nama nope~ minta_nope kontak_dong nomor~ nomer~ nmr nmrnya nmernya no~ kontak~ "
    "hp~ wanya wamu wa_nya wa_kamu",
    ms="nombor~",
    en="number numbers num contact contacts digits cellphone",
    tl="numero",
    vi="xin_so cho_so luu_so sdt so_dien_thoai so_dt so_zalo so_em so_anh so_chi",
)
ASK: Final = idea(
    id="minta mnta mnt mintak bagi bagi2 pengen pgn mau boleh kasih kasi ksh tukeran tuker kirim "
    "kirimin share sharing punya berapa brp tau simpan* simpen* save catat catet simpenin "
    "cara_hubungin cara_hubungi gmn_hubungin disimpan disimpen disave yang_mana yg_mana tlp_ke "
    "telp_ke telpon_ke wa_ke chat_ke",
    jv="njaluk nyuwun piro pinten tak_simpen simpen simpenen catet*",
    su="menta nyuhunkeun sabaraha pinten hoyong tiasa kenging",
    ms="nak minta bagi",
    en="share give gimme drop send get have exchange ask need save what whats what's can could "
    "may call_me_on",
    tl="pahingi penge hingi ano pwede",
    vi="xin cho luu",
)
WHOSE: Final = idea(
    id="62nya 62mu kamu anda mbak mas kakak kak kk ka bapak ibu bu pak bang abang saya sy aku ku "
    "lu lo mu gw gue pribadi personal langsung asli langganan wa whatsapp telp telpon telepon tlp "
    "hp hape",
    jv="sampeyan panjenengan nomermu nomormu",
    su="anjeun teteh teh akang abdi",
    ms="awak akak telefon",
    en="phone your ur yours my me cell private personal mobile digits",
    tl="mo nyo niyo ko",
    vi="em anh chi sdt so_dien_thoai so_dt",
)
OWN_NUMBER: Final = idea(
    id="nomermu nomormu nomerku nomorku hpmu kontakmu kontaknya tukeran_nomor tukeran_nomer "
    "nomor_yang_bisa nomor_yg_bisa nomer_yang_bisa nomer_yg_bisa no_yg_bisa no_yang_bisa "
    "minta_nomornya minta_nomernya minta_nmrnya tuker_nomor tuker_nomer tukeran_kontak tukeran_no "
    "nomor_pribadi~ nomer_pribadi~ no_pribadi~ minta_nomor minta_nomer minta_kontak",
    ms="nak_nombor minta_nombor bagi_nombor",
    en="exchange_numbers swap_numbers exchange_contacts",
)
#: A number, and a word of asking for it, in one.
OUTRIGHT: Final = idea(
    id="sharing_nomor share_nomor bagi_nomor bagi_nomer kasih_nomor bagi_kontak kasih_kontak "
    "share_kontak minta_nope kasih_nope bagi_nope nopenya_berapa nopenya_brp minta_62",
    vi="xin_so luu_so",
)
#: What else has a number.
THING: Final = idea(
    id="rumah~ unit~ blok~ kamar~ plat~ polisi~ pesanan~ order~ orderan~ booking~ resi~ kursi~ "
    "lantai~ antrian~ antri penerbangan gate~ peron~ meja~ kendaraan motor~ mobil~ tower gedung "
    "kode sepatu urut invoice~ tiket~ rekening~ pintu apartemen bus nota apa_aja rt rw laporan~ "
    "transaksi~ pelanggan~",
    jv="omah~ omahe lawang",
    su="imah~ bumi~",
    ms="bilik tempahan",
    en="jacket shirt helmet bike bus_stop flight house room seat plate car order booking unit "
    "gate platform building bus floor door",
    tl="bahay plaka",
    vi="nha phong xe cua tang",
)
#: Meeting inside the app is what is wanted, unless it is called a bother.
BY_THE_APP: Final = Idea(
    r"""
    (?: lewat | lwt | via | di | dari | pake | pakai | through | in | on | using | sa | qua | liwat
      | ka | dalam | dina ) \s+ (?: the\s+ | this\s+ | chat\s+ )?
    (?: app | apps | aplikasi | aplikasine | sini | ung\sdung | gojek | grab | maxim ) (?![a-z])
    | (?: chat | mesej | nhan | chatan ) \s (?: o\s | di\s )? (?: sini | kene | day | here | dieu )
    | (?:ใน|ผ่าน)\s?แอ[พป]
    """,
    re.VERBOSE,
)
BOTHER: Final = idea(
    id="males malas ribet susah repot capek cape lemot lelet ilang hilang ga_enak gak_enak ga_bs "
    "ga_bisa_kirim gak_bisa_kirim ketutup kehapus",
    jv="males angel ribet",
    su="hese ribet",
    ms="susah leceh",
    en="annoying slow hard_to laggy disappears",
    tl="mabagal hassle",
    vi="bat_tien lag",
)
PLACES: Final = pattern_of(
    id="oren ijo orange hijau app apps apl apk aplikasi~ aplikasine aplikator~ platform sistem~ "
    "chat_ini pesanan perantara kantor argo ordernya orderan order sini_lagi situ_lagi hp gojek "
    "grab maxim",
    su="aplikasina",
    en="app apps application platform system",
    tl="app",
    vi="ung_dung app",
)
OUTSIDE: Final = Idea(
    r"(?:(?:"
    + pattern_of(
        id="di_luar diluar luar dluar tanpa luarnya ga_perlu gak_perlu tidak_perlu",
        jv="tanpo njobo njaba ing_njaba",
        su="di_jaba di_luareun luareun",
        ms="kat_luar",
        en="outside outside_of off without skip no_need no_need_for forget ditch",
        tl="labas_ng sa_labas_ng walang",
        vi="ngoai khong_can",
    )
    + r")\s+(?:(?:the|dari|ng|this|lewat|pake|pakai|use|using)\s+)?"
    + PLACES
    + r"|off[- ]?(?:in\s)?app|นอก\s?แอ[พป]|ไม่ต้อง[^\n]{0,14}แอ[พป])"
)
NOT: Final = pattern_of(
    id="gausah gosah ga gak gk nggak ngga enggak tidak tdk tak jangan jgn jngn tanpa stop",
    jv="ora ojo mboten rasah",
    su="teu ulah tong entong",
    ms="tak_payah usah",
    en="not no dont don't never stop",
    tl="huwag wag hindi",
    vi="khong khoi dung",
)
WITHOUT: Final = Idea(
    NOT
    + r"\s+(?!bisa|bs|isa|tiasa|boleh|mau|could|can)(?:\w+\s+){0,2}?"
    + pattern_of(
        id="lewat lwt via di dari pake pakai pakek pk pesan_di pesen_di order_di ke melalui",
        jv="nganggo liwat nang ning",
        su="nganggo dina ngangge",
        ms="guna kat",
        en="through in on use using via need",
        tl="sa gamit gamitin",
        vi="qua dung dat",
    )
    + r"\s+(?:(?:the|dari|this|yang|yg)\s+)?"
    + PLACES
)
#: Route talk too: "jangan lewat sini" says little by itself.
NOT_HERE: Final = Idea(
    NOT
    + r"\s+(?:\w+\s+){0,2}?"
    + pattern_of(
        id="lewat_sini lewat_situ lwt_sini lwt_situ di_sini di_situ disini disitu dari_sini "
        "dompet_sini pesen_lagi pesan_lagi order_lagi mesen_lagi mesan_lagi pesen2_lagi "
        "pesan2_lagi usah_order usah_pesen usah_pesan usah_pesen2",
        jv="liwat_kene pesen_maneh pesen_malih order_malih",
        su="ti_dieu pesen_deui mesen_deui order_deui",
        en="here book_again order_again",
    )
)
#: Words for going round the platform.
BYPASS: Final = idea(
    id="bawah_tangan belakang_layar skip_app skip_apps skip_aplikasi jalan_manual order_manual "
    "manual_aja manual_saja urusan_kita damai_aja damai_saja langganan_sama langganan_aja_sama "
    "harga_luar harga_off order_fiktif orderan_fiktif deal2an deal-dealan cash_off off_aja "
    "langganan_ke langganan_langsung langganan_pribadi japri janjian_sendiri janjian_langsung "
    "jadwal_sendiri antara_kita main_di_luar main_luar offline_aja order_offline bisa_offline "
    "mau_offline offline_ga offline_gak offline_yuk ngeluarin_order pribadi_aja jalur_pribadi "
    "order_pribadi orderan_pribadi sewa_pribadi antar_jemput_pribadi kalau_langsung_ke "
    "kalo_langsung_ke kalau_langsung_sama kalo_langsung_sama jalur_belakang matiin_app "
    "matiin_aplikasi matikan_aplikasi tutup_aplikasi",
    jv="langganan_karo langganan_kaliyan langganan_ambek offline_wae manual_wae",
    su="langganan_ka langganan_sareng offline_we manual_we",
    ms="off_app jadi_pelanggan_tetap dengan_saya_terus dengan_saya_direct",
    en="off_the_books off_the_meter under_the_table off_platform off_grid private_ride "
    "private_trip between_us just_us just_the_two hit_the_x private_hire private_driver "
    "your_private",
    tl="off_app kontrata arkila suki",
    vi="chay_ngoai di_ngoai cuoc_ngoai",
    th="นอกระบบ นอกรอบ",
)
#: What the platform keeps, and that it is cheaper without it.
CUT: Final = Idea(
    pattern_of(
        id="potongan~ potongannya dipotong kepotong kena_potong potong_komisi komisi~ persenan "
        "bagi_hasil dipotongin admin~ biaya_admin setoran kena_admin biaya_aplikasi biar_utuh "
        "utuh",
        jv="potongane",
        su="potonganana",
        ms="komisyen caj_app",
        en="commission cut fee fees percent takes_too_much company_takes app_takes they_take "
        "grab_takes",
        tl="komisyon kaltas",
        vi="hoa_hong chiet_khau phi_app",
        th="ค่าคอม หัก",
    )
    + r"(?!\s+(?:harga|ongkir|ongkos|tarif|diskon|voucher|promo|saldo|gopay|ovo)(?![a-z]))"
)
CHEAPER: Final = idea(
    id="murah* mura lebih_irit irit hemat diskon* discount nego deal harganya_miring harga_miring "
    "harga_temen harga_teman harga_khusus harga_spesial harga_langganan kasih_harga saya_kurangin "
    "saya_diskon korting untung tambahin_dikit sama_sama_untung kita_berdua sama2_untung "
    "sama2_enak sama_sama_enak murmer separo separuh setengah_harga",
    jv="luwih_murah murah_ae",
    su="langkung_mirah mirah",
    ms="jimat",
    en="cheap cheaper discount less deal bargain better_price save_money special_price half_price "
    "lower",
    tl="mura makakatipid tipid tawad",
    vi="re_hon bot giam_gia",
    th="ถูกกว่า ลดให้",
)
#: To me, by me, with me, and nobody between.
DIRECT: Final = idea(
    id="langsung lgsg lngsng pribadi sendiri",
    jv="langsung",
    su="langsung",
    ms="terus direct",
    en="direct directly privately personally private",
    tl="diretso deretso direkta",
    vi="truc_tiep thang",
    th="ตรง โดยตรง",
)
TO_ME: Final = Idea(
    pattern_of(
        id="ke sama ama lewat via dengan hubungi kontak telpon telp tlp call chat pesan pesen "
        "order booking panggil kabari cari kasih bayar",
        jv="nang karo ambek kaliyan kalih kekno marang",
        su="ka sareng",
        ms="dengan kat",
        en="to with from pay call text contact message book hire reach through",
        tl="contact tawagan sa",
        vi="cho goi goi_thang lien_he voi",
    )
    + r"\s+(?:(?:tangan|aja|nomor|nomer|no|wa)\s)?"
    + pattern_of(
        id="saya sy aku ku gw gue gua ane",
        jv="kula kulo",
        su="abdi kuring urang",
        en="me",
        tl="akin",
        vi="em anh",
    )
    + r"|"
    + pattern_of(en="your_driver", tl="sakin", th="ผม พี่ หนู")
)
#: Into the pocket, or the wallet, of one's own.
MY_POCKET: Final = Idea(
    pattern_of(
        id="ke ka masuk lewat scan via di",
        jv="nang",
        su="kana",
        en="to into",
        tl="sa",
        vi="vao qua",
    )
    + r"\s+(?:my\s+)?"
    + pattern_of(
        id="bca bri bni bsi mandiri cimb jago seabank rekening rek norek gopay ovo dana shopeepay "
        "linkaja qris dompet kantong kantongku saku",
        ms="akaun tng duitnow",
        en="account wallet pocket",
        tl="gcash maya",
        vi="tai_khoan momo",
    )
    + r"\s+(?:\w+\s+){0,1}?"
    + pattern_of(
        id="saya sy aku ku gw gue pribadi istri_saya istri adik_saya",
        jv="ku kula",
        su="abdi",
        tl="ko ko_mismo",
        vi="em cua_em",
    )
    + r"|(?:to|into|on)\s"
    + pattern_of(en="my_account my_wallet my_gcash my_grabpay my_paynow my_pocket my_bank")
)
PAY: Final = idea(
    id="bayar* mbayar tf transfer trf tfin ongkos~ ongkosnya tarif~ harga~ argo duit~ uang~ tunai "
    "cash kes",
    jv="duite mbayar",
    su="mayar artos",
    en="pay cash fare money price",
    tl="bayad magbayad bayaran",
    vi="tien tra tra_tien",
    th="จ่าย โอน เงิน",
)
AGAIN: Final = idea(
    id="besok* bsk lain_kali lain_waktu minggu_depan kapan_kapan kapan-kapan kapan2 next "
    "langganan tiap_hari setiap_hari tiap_pagi seterusnya selanjutnya berikutnya pulangnya "
    "balik_nanti jemputan antar_jemput bulanan carter charter jadwal ke_depannya kedepannya",
    jv="sesuk suk_emben langganan saben_dino",
    su="enjing isuk langganan saban_dinten",
    ms="esok lain_kali hari-hari",
    en="tomorrow next_time every_day everyday regular daily all_day future whenever",
    tl="bukas sa_susunod araw-araw lagi",
    vi="mai lan_sau hang_ngay moi_ngay hom_sau",
    th="พรุ่งนี้ ครั้งหน้า คราวหน้า ประจำ",
)
#: To end an order that is under way, in whatever words.
ORDER: Final = idea(
    id="order~ orderan~ orderannya pesanan~ tripnya trip aplikasi",
    jv="orderane pesenane",
    su="orderanana pesenanana",
    en="order trip booking ride",
    tl="booking",
    vi="cuoc chuyen don",
)
END: Final = idea(
    id="tutup ditutup matiin dimatiin matikan dimatikan hapus dihapus tolak ditolak gugurin "
    "digugurin gagalin digagalin digagalkan buang dibuang stop akhiri",
    jv="pateni dipateni tutupen",
    su="pareuman dipareuman",
    en="drop kill end reject close decline",
    tl="i-end i-drop",
    vi="tat bo",
)
CALLED_OFF: Final = idea(id="pembatalan", jv="dipateni", su="dipareuman", en="call_it_off")
#: A price there and another here: "di app 70rb, ke saya 50rb".
COMPARED: Final = Idea(
    r"(?:app|apps|apk|aplikasi|argo|tambang|grab|gojek)(?![a-z])[^\d\n]{0,16}\d[^\n]{0,24}?"
    r"(?:ke|sama|dengan|langsung|with)\s(?:saya|aku|gw|gue|ane|me)(?![a-z])[^\d\n]{0,16}\d"
)
DEAL: Final = idea(
    id="langsung saya sy aku offline nego bayar cash murah lebih aja transfer gampang yuk bisa "
    "luarin kita hubungi tunai gimana mau",
    jv="kulo ae luwih mbayar",
    su="abdi we weh mayar",
    en="me cheaper direct directly cash pay ok call",
    tl="bukas mura bayad na_lang dagdag dagdagan tip",
    vi="em goi tien",
)
CANCEL: Final = Idea(
    r"""
    (?<![a-z])
    (?: (?:di|i-)? (?: cancel | cansel | kensel | kansel | kancel ) (?:in|kan|led|no|keun)?
      | (?:di)? batal (?:in|kan|no|keun)? | ccl | cncl | bolay (?:keun)? | huy
      | klik\sselesai | selesai(?:in|kan)?\sdulu | (?:di)? (?: gagal | gugur ) (?:in|kan)
    )
    (?![a-z]) | ยกเลิก
    """,
    re.VERBOSE,
)
#: To pay, or to ride, all the same.
ALL_THE_SAME: Final = idea(
    id="langsung bayar* cash kes tunai transfer tf offline luar diluar murah manual tetep tetap "
    "ttp tetap_jalan ke_saya ke_tangan_saya bayar_saya kita_berdua ongkosnya_2x saya_anter "
    "saya_antar saya_bisa_anter saya_bisa_antar nanti_saya tarif_sama tarifnya_sama kantong",
    jv="mbayar tetep kulo_terke",
    su="mayar angger abdi_jajap",
    ms="terus",
    en="pay direct directly cash cheaper still outside anyway for_less",
    tl="diretso deretso bayad magbayad sakin",
    vi="tien_mat tra_tien truc_tiep ngoai re_hon em_cho van_cho",
    th="จ่าย โอน เงินสด",
)
#: Somebody else did it, or it is over.
TOLD: Final = idea(
    id="drivernya driver_chat driver_minta driver_suka driver_nya dia katanya kata_driver malah "
    "tadi kemarin sudah_saya_cancel dicancel_driver sepihak sudah_bayar udah_bayar sudah_transfer "
    "sering selalu padahal_sudah kecewa aplikasinya refund saldo dikembalikan pelayanan bintang "
    "cs customer_service operator kenapa ga_bisa gak_bisa tidak_bisa gabisa oknum sudah_ga "
    "sudah_gak udah_ga udah_gak tiba-tiba tiba2 otomatis ada_yang banyak_driver",
    en="driver_asked drivers he_asked always refund support why cancelled_by",
)
PAY_ME: Final = Idea(
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
      \s+ (?: langsung | pribadi | di\sluar | luar | ke\ssaya | sama\ssaya | saya\s(?:aja|saja) )
    )
    (?![a-z])
    """,
    re.VERBOSE,
)
REFUSAL: Final = Idea(
    pattern_of(
        id="jangan* jgn jngn ga_mau gak_mau nggak_mau ngga_mau ga_boleh gak_boleh nggak_boleh "
        "tidak_boleh ga_bisa gak_bisa nggak_bisa tidak_bisa gabisa gaboleh dilarang ga_usah "
        "gak_usah nggak_usah gausah ga_perlu gak_perlu tidak_perlu ga_punya gak_punya nggak_punya "
        "ga_minta gak_minta ga_kasih gak_kasih tidak_kasih nggak_kasih ga_ngasih maaf_ga maaf_gak "
        "maaf_tidak",
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
        "tuker lewat bagi beri nombor",
        su="tukeur",
        ms="save guna",
        en="pay share give ask call text save move use cancel",
    )
    + r"|อย่า|ห้าม"
)
#: What going round the platform leads to, and not to take part in it.
WHY: Final = (
    pattern_of(
        id="kenapa knp kok ngapain buat_apa untuk_apa",
        jv="ngopo kok nyapo",
        su="naha kanggo_naon",
        ms="kenapa buat_apa",
        en="why",
        tl="bakit",
        vi="sao tai_sao",
    )
    + r"\s+(?:\w+\s+){0,3}?"
    + pattern_of(
        id="minta mnt mau tanya nanya pengen perlu butuh",
        jv="njaluk",
        su="menta",
        ms="nak minta",
        en="need ask want",
        tl="hinihingi humihingi kailangan",
        vi="xin hoi",
    )
)
DECLINED: Final = Idea(
    WHY
    + r"|"
    + pattern_of(
        id="asuransi* bahaya berbahaya resiko risiko hati2 hati-hati waspada modus penipuan "
        "privasi keamanan nakal nawarin laporin saya_laporin jangan_dihubungi bukan_punya "
        "asal_kasih ga_menerima tidak_menerima ga_nerima gak_nerima tidak_melayani suspend "
        "kena_gantung putus_mitra sanksi melanggar pelanggaran kena_denda dilaporkan laporkan "
        "lapor_ke saya_lapor akun_saya_kena takut_kena",
        ms="kena_gantung kena_ban tak_bagi tak_beri",
        en="insured insurance driver_before wanted asked_for against_the policy banned suspended "
        "report_you not_allowed",
        tl="bawal ma-ban masususpinde",
        vi="bi_khoa vi_pham",
        th="ทำไม ไม่สะดวกให้ ไม่ให้ ไม่มี ไม่รับ ไม่ได้ อย่า ห้าม",
    )
    + rf"|{NOT}\s+(?:\w+\s+){{0,2}}?{OUTSIDE.pattern}"
    + r"|"
    + NOT
    + r"\s+(?:\w+\s+){0,2}?"
    + pattern_of(
        id="terima nerima ambil ngambil layani melayani berani mau boleh bisa bs",
        jv="gelem wani iso",
        su="tiasa kersa",
        en="accept take do want",
        tl="tumatanggap pwede",
        vi="nhan duoc",
    )
    + r"\s+(?:\w+\s+){0,3}?"
    + pattern_of(
        id="di_luar diluar luar offline manual langsung",
        jv="njobo",
        su="luar",
        en="outside off",
        tl="labas sa_labas",
        vi="ngoai",
    )
)
THAI: Final = Idea(
    r"""
      (?: ขอ | แลก | มี | แอด | ให้ | เพิ่ม ) [^\n]{0,8} (?: เบอร | ไลน | เฟส | ไอดี | ไอจี | ช่องทาง )
    | (?: คุย | ทัก | แชท | ติดต่อ | ไป | ย้าย ) [^\n]{0,14} (?: ไลน | เฟส | ไอจี )
    | (?: จ่าย | โอน ) [^\n]{0,20} (?: ตรง | นอกแอ | ผมเลย | พี่เลย )
    | เรียก [^\n]{0,10} ตรง
    """,
    re.VERBOSE,
)
