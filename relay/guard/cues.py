"""The words without which the rules about contacts, codes and ways round the platform can't hit.

The gate looks for them before anything else is done, and each family of rules runs only if the
message has a word of its set. `~` stands for the endings of `phrases`.
"""

from __future__ import annotations

from typing import Final

from .phrases import forms

#: Names of apps to talk in, and of what one needs there: `solicitation`.
APP_WORDS: Final = forms(
    "wa wanya wamu waku wan waan whatsapp~ whatsapps whatsap whatsaap wasap~ wasapp wasapan "
    "watsap watsapp whatsup watshap wassap tele telegram~ telegrem ig insta instagram fb facebook "
    "messenger zalo viber wechat imo signal tiktok michat kakao discord imessage skype line "
    "wotsap nomor~ nomer~ nmr nmrnya nomber number numbers nombor~ no num numero kontak~ kontakan "
    "kontekan contact contacts japri japrian sdt hp hape hpnya sms lain digits hijau ijo biru w "
    "chat thoai telp telpon telfon tlp"
)
_LEET: Final = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7"}


def _with_a_digit(words: frozenset[str]) -> frozenset[str]:
    """The longer words with one letter, or all of a kind, written as a digit."""
    return frozenset(
        form
        for word in words
        if 4 <= len(word) <= 9
        for letter, digit in _LEET.items()
        for form in (word.replace(letter, digit), word.replace(letter, digit, 1))
        if form != word
    )


#: Names of platforms, and words of looking someone up there: `handles`.
_HANDLE_WORDS: Final = forms(
    "ig~ igq ige insta~ inst instagram~ instagrem instagrame tele~ telegram~ telegrem telgram tg "
    "wechat~ weixin facebook~ fb~ efbe pesbuk facebok tiktok~ twitter twiter twt discord kakao "
    "kakaotalk zalo~ viber skype snapchat snap bigo michat threads messenger username~ uname usn "
    "user usernya handle~ nickname nick sosmed~ medsos~ akun~ account acc instagramm yutub yt "
    "youtube dc eg namanya line~ lain follow folow follback folback add search find dm cari pin "
    "bbm bb wa whatsapp~ x tt sc linkedin signal idline tag mention"
)
HANDLE_WORDS: Final = _HANDLE_WORDS | _with_a_digit(_HANDLE_WORDS)
#: Parts of links and addresses: `contacts`.
LINK_WORDS: Final = forms(
    "dot titik ttk slash garing miring garis www http https hxxp com gmail gimel jimel yahoo "
    "ymail email~ emel~ imel mail~ hotmail outlook icloud rocketmail proton protonmail linktr "
    "linktree bit bitly tinyurl cutt heylink lynk msha taplink lin ee me ly link~ bio example org "
    "net keong akeong et cham tuldok point punto id surel carrd"
)
#: Codes, secrets and call forwarding: `dialogue` and `forwarding`.
CODE_WORDS: Final = forms(
    "otp~ tac~ kode~ kodenipun kodeu~ kodeuna code codes kod~ angka~ digit~ digits sms~ "
    "verifikasi verif verification pin~ pins nomer mpin cvv cvc password~ pasword passcode sandi~ "
    "sandine ma notif~ otipi otepe ote tpe te ot tp alihkan alihin dialihkan pengalihan "
    "mengalihkan forward forwarding divert redirect panggilan telepon calls bintang star asterisk "
    "bituin sao pagar chuyen pindahkan pindahin alihno terusno lihkeun halihkeun alihkeun ilipat "
    "iforward inbox pass akses teruskan nomor number nombor numero mo so laluan atm ewallet "
    "wallet kartu grabpay zalopay khau text message mesej isinya wotsap singkat bunyinya layar "
    "phone verifnya veripikasi pop notifikasi~ notification nhan tulisan kodenyaa kodenyaaa kodee "
    "kodeee kodeny hinh otpnyaa smsnyaa resetnya"
)
#: Leaving the app and paying elsewhere: `solicitation` and `accounts`.
WAY_OUT_WORDS: Final = forms(
    "cancel cancelled canceled cancelin batal batalin batalkan batalno dibatalin dibatalkan "
    "dicancel ccl huy cncl kensel kansel kancel icancel bolay bolaykeun offline ofline luar "
    "diluar outside off langganan carter charter borongan nego qris bayar mbayar mayar pay bayad "
    "magbayad transfer tf direct directly langsung rekening rek norek bca bri bni mandiri bsi "
    "gopay ovo dana shopeepay linkaja gcash maya bank tanpa without ngoai labas njaba jaba tanpo "
    "bayarnya cash tunai kes privately private book app apps apk aplikasi~ hubungi manual pesan "
    "pesen order orderan call selesai~ sakin deretso diretso potongan~ potongane dipotong "
    "kepotong komisi~ komisyen komisyon commission perantara aplikator gagalin digagalin "
    "digagalkan gugurin digugurin matiin dimatiin dipateni pateni pembatalan lgsg lngsng khoi "
    "nope anyway booking xin lien deal2an fiktif w4 dm wotsap murmer separo janjian suki oren "
    "tutup tolak lapak logo nama takes follow2an berdua kartu simpenen nomerku lu luu re skip "
    "lempar pribadi argo tarif~ ongkos~ duit~ duite irit hemat murah mirah cheap cheaper diskon "
    "discount jadwal jalur hire truc nganggo platform kantong damai bawah sesuk hoa besok esok "
    "enjing saben bukas mura angkut sewa borong kontrata arkila"
)
#: Those of them that ordinary talk is full of: one alone is no reason to look closer.
EVERYDAY: Final = forms(
    "bayar langsung tanpa cari find titik ma pin et me mail garis link dana hp hape akun pay off "
    "selesai aplikasi app apps hubungi manual pesan pesen order orderan call maya bank line "
    "search book without point star no mo lain nego te net account contact com miring pass user "
    "acc w chat telp telpon telfon tlp bayarnya cash tunai kes text message telepon teruskan so "
    "sao calls atm ewallet wallet kartu luar add tag x id nick hijau ijo biru private pribadi "
    "argo tarif ongkos ongkosnya tarifnya duit duitnya irit hemat murah cheap cheaper diskon "
    "discount jadwal jalur besok esok enjing bukas mura bawah damai lempar matiin khoi hinh nope "
    "anyway booking xin lien nhan tulisan dm oren tutup tolak lapak logo nama takes berdua lu luu "
    "re janjian isinya singkat bunyinya layar phone pop dimatiin nganggo sewa skip truc hoa sesuk "
    "saben angkut platform"
)

#: Banks by their names, in the notation of `phrases`: `accounts` and `context`.
BANKS: Final = (
    # Indonesia
    "bca bri bni bsi btn mandiri cimb jago seabank permata danamon ocbc panin mega neo jenius blu "
    "superbank allobank bjb muamalat bukopin nobu "
    # Malaysia, Singapore
    "maybank rhb hong_leong ambank public_bank uob dbs posb "
    # the Philippines
    "bdo bpi metrobank landbank unionbank "
    # Vietnam
    "vietcombank vcb techcombank tcb mbbank mb acb bidv agribank tpbank vpbank sacombank "
    "vietinbank "
    # Thailand
    "kbank scb bbl ktb กสิกร ไทยพาณิชย์ กรุงไทย กรุงเทพ ออมสิน"
)
