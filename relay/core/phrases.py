"""Sentences of fixed catalogues, shown to each reader in his own language.

An app posts a quick reply, and the platform a system message, by its key. Such a message needs no
screening, so it still passes while the guard is broken, and it costs nobody any typing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Key to language to text. Every key has the same languages.
Catalogue = Mapping[str, Mapping[str, str]]

#: The language of a reader whose own the catalogue does not have.
_COMMON: Final = "en"

#: What an app may post without typing.
QUICK_REPLIES: Final[Catalogue] = {
    "on_my_way": {
        "id": "Saya dalam perjalanan.", "en": "I am on my way.", "ms": "Saya dalam perjalanan.",
        "jv": "Kula saweg wonten margi.",
        "su": "Abdi nuju di jalan.",
        "tl": "Papunta na po ako.",
        "th": "กำลังเดินทางไปครับ/ค่ะ", "vi": "Tôi đang trên đường tới.",
    },
    "arrived": {
        "id": "Saya sudah sampai di titik jemput.", "en": "I am at the pickup point.",
        "ms": "Saya sudah sampai di tempat jemputan.",
        "jv": "Kula sampun dugi ing titik jemput.",
        "su": "Abdi tos dugi di titik jemput.", "tl": "Nandito na po ako sa pickup point.",
        "th": "ถึงจุดรับแล้วครับ/ค่ะ", "vi": "Tôi đã tới điểm đón.",
    },
    "coming_out": {
        "id": "Saya sedang keluar, mohon tunggu.", "en": "I am coming out, please wait.",
        "ms": "Saya sedang keluar, sila tunggu.", "jv": "Kula saweg medal, mangga dipunentosi.",
        "su": "Abdi nuju kaluar, antosan sakedap.", "tl": "Palabas na po ako, pahintay po.",
        "th": "กำลังออกไป รอสักครู่ครับ/ค่ะ", "vi": "Tôi đang ra, vui lòng đợi.",
    },
    "please_wait": {
        "id": "Mohon tunggu sebentar.",
        "en": "Please wait a moment.",
        "ms": "Sila tunggu sebentar.",
        "jv": "Nyuwun tulung entosi sekedhap.", "su": "Mangga antosan sakedap.",
        "tl": "Sandali lang po.",
        "th": "กรุณารอสักครู่ครับ/ค่ะ",
        "vi": "Vui lòng đợi một chút.",
    },
    "traffic": {
        "id": "Jalanan macet, saya agak terlambat.",
        "en": "Traffic is heavy, I will be a bit late.",
        "ms": "Jalan sesak, saya lewat sedikit.", "jv": "Marginipun macet, kula radi telat.",
        "su": "Jalanna macet, abdi rada telat.", "tl": "Matrapik po, medyo mahuhuli ako.",
        "th": "รถติด อาจช้าเล็กน้อยครับ/ค่ะ", "vi": "Đường đang kẹt, tôi sẽ tới hơi trễ.",
    },
    "where_are_you": {
        "id": "Anda di sebelah mana?", "en": "Where are you?", "ms": "Anda di mana?",
        "jv": "Panjenengan wonten pundi?", "su": "Palih mana ayeuna?", "tl": "Nasaan po kayo?",
        "th": "อยู่ตรงไหนครับ/คะ", "vi": "Bạn đang ở đâu?",
    },
    "at_lobby": {
        "id": "Saya di lobi.", "en": "I am in the lobby.", "ms": "Saya di lobi.",
        "jv": "Kula wonten lobi.", "su": "Abdi di lobi.", "tl": "Nasa lobby po ako.",
        "th": "อยู่ที่ล็อบบี้ครับ/ค่ะ", "vi": "Tôi ở sảnh.",
    },
    "at_map_point": {
        "id": "Titik di peta sudah sesuai.", "en": "The point on the map is right.",
        "ms": "Titik di peta sudah betul.", "jv": "Titik ing peta sampun leres.",
        "su": "Titik dina peta tos leres.", "tl": "Tama po ang pin sa mapa.",
        "th": "หมุดบนแผนที่ถูกต้องแล้วครับ/ค่ะ", "vi": "Điểm trên bản đồ là đúng.",
    },
    "cannot_find": {
        "id": "Saya belum menemukan lokasinya.", "en": "I cannot find the place yet.",
        "ms": "Saya belum jumpa lokasinya.", "jv": "Kula dereng manggihaken lokasinipun.",
        "su": "Abdi teu acan mendak lokasina.", "tl": "Hindi ko pa po makita ang lugar.",
        "th": "ยังหาสถานที่ไม่เจอครับ/ค่ะ", "vi": "Tôi chưa tìm thấy địa điểm.",
    },
    "call_in_app": {
        "id": "Silakan telepon lewat aplikasi.", "en": "Please call me in the app.",
        "ms": "Sila telefon melalui aplikasi.", "jv": "Mangga telpon liwat aplikasi.",
        "su": "Mangga telepon ngalangkungan aplikasi.", "tl": "Pakitawagan po ako sa app.",
        "th": "กรุณาโทรผ่านแอปครับ/ค่ะ", "vi": "Vui lòng gọi qua ứng dụng.",
    },
    "ok": {
        "id": "Baik.",
        "en": "OK.",
        "ms": "Baik.",
        "jv": "Inggih.",
        "su": "Muhun.",
        "tl": "Sige po.",
        "th": "ครับ/ค่ะ", "vi": "Vâng.",
    },
    "thank_you": {
        "id": "Terima kasih.", "en": "Thank you.", "ms": "Terima kasih.", "jv": "Matur nuwun.",
        "su": "Hatur nuhun.", "tl": "Salamat po.", "th": "ขอบคุณครับ/ค่ะ", "vi": "Cảm ơn.",
    },
}  # fmt: skip

#: What the platform, or an operator, may tell the parties without text of its own.
SYSTEM_MESSAGES: Final[Catalogue] = {
    "driver_arrived": {
        "id": "Pengemudi sudah sampai di titik jemput.",
        "en": "The driver is at the pickup point.",
        "ms": "Pemandu sudah sampai di tempat jemputan.",
        "jv": "Sopiripun sampun dugi ing titik jemput.",
        "su": "Supirna tos dugi di titik jemput.",
        "tl": "Nasa pickup point na ang driver.",
        "th": "คนขับถึงจุดรับแล้ว", "vi": "Tài xế đã tới điểm đón.",
    },
    "trip_started": {
        "id": "Perjalanan dimulai.", "en": "The trip has started.",
        "ms": "Perjalanan bermula.", "jv": "Lelampahan dipunwiwiti.",
        "su": "Perjalanan dimimitian.", "tl": "Nagsimula na ang biyahe.",
        "th": "เริ่มการเดินทางแล้ว", "vi": "Chuyến đi đã bắt đầu.",
    },
    "trip_ending": {
        "id": "Perjalanan hampir selesai; obrolan ini segera ditutup.",
        "en": "The trip is about to end; this chat closes soon.",
        "ms": "Perjalanan hampir tamat; sembang ini akan ditutup.",
        "jv": "Lelampahan badhe rampung; obrolan punika enggal dipuntutup.",
        "su": "Perjalanan rek réngsé; obrolan ieu baris ditutup.",
        "tl": "Malapit nang matapos ang biyahe; magsasara na ang chat na ito.",
        "th": "การเดินทางใกล้สิ้นสุด แชทนี้จะปิดเร็ว ๆ นี้",
        "vi": "Chuyến đi sắp kết thúc; cuộc trò chuyện này sẽ sớm đóng.",
    },
    "pickup_changed": {
        "id": "Titik jemput berubah. Lihat peta di aplikasi.",
        "en": "The pickup point has changed. See the map in the app.",
        "ms": "Tempat jemputan telah berubah. Lihat peta dalam aplikasi.",
        "jv": "Titik jemput ewah. Mangga pirsani peta ing aplikasi.",
        "su": "Titik jemput robah. Tingali peta dina aplikasi.",
        "tl": "Nagbago ang pickup point. Tingnan ang mapa sa app.",
        "th": "จุดรับเปลี่ยนแล้ว ดูแผนที่ในแอป",
        "vi": "Điểm đón đã thay đổi. Xem bản đồ trong ứng dụng.",
    },
    "fare_changed": {
        "id": "Tarif berubah. Rinciannya ada di aplikasi.",
        "en": "The fare has changed. The app shows why.",
        "ms": "Tambang telah berubah. Lihat butirannya dalam aplikasi.",
        "jv": "Tarif ewah. Rincianipun wonten ing aplikasi.",
        "su": "Tarif robah. Rincianana aya dina aplikasi.",
        "tl": "Nagbago ang pamasahe. Nasa app ang detalye.",
        "th": "ค่าโดยสารเปลี่ยนแล้ว ดูรายละเอียดในแอป",
        "vi": "Cước phí đã thay đổi. Xem chi tiết trong ứng dụng.",
    },
    "stay_safe": {
        "id": "Jangan berikan nomor telepon, kode OTP, atau PIN kepada siapa pun. Bicara dan bayar "
        "hanya lewat aplikasi.",
        "en": "Give nobody your phone number, one-time code or PIN. Talk and pay in the app only.",
        "ms": "Jangan beri nombor telefon, kod OTP atau PIN kepada sesiapa. Berbual dan bayar "
        "hanya dalam aplikasi.",
        "jv": "Sampun maringi nomer telpon, kode OTP utawi PIN dhateng sinten kemawon. Ngobrol lan "
        "mbayar namung liwat aplikasi.",
        "su": "Ulah masihkeun nomer telepon, kode OTP atawa PIN ka saha waé. Ngobrol jeung mayar "
        "ngan liwat aplikasi.",
        "tl": "Huwag ibigay kaninuman ang numero, OTP o PIN. Makipag-usap at magbayad sa app "
        "lamang.",
        "th": "อย่าให้เบอร์โทร รหัส OTP หรือ PIN กับใคร คุยและจ่ายเงินผ่านแอปเท่านั้น",
        "vi": "Đừng đưa số điện thoại, mã OTP hay PIN cho bất kỳ ai. Chỉ trò chuyện và thanh toán "
        "trong ứng dụng.",
    },
    # Only from an operator, and only to the party that is warned: it names nobody and nothing.
    "warning": {
        "id": "Mohon patuhi aturan aplikasi: bersikap sopan, dan jangan memberi atau meminta "
        "kontak pribadi.",
        "en": "Please keep to the rules of this app: be respectful, and neither give nor ask for "
        "contact details.",
        "ms": "Sila patuhi peraturan aplikasi: bersopan, dan jangan beri atau minta maklumat "
        "hubungan.",
        "jv": "Mangga netepi aturan aplikasi: tansah sopan, lan sampun maringi utawi nyuwun kontak "
        "pribadi.",
        "su": "Mangga tuturkeun aturan aplikasi: kudu sopan, jeung ulah méré atawa ménta kontak "
        "pribadi.",
        "tl": "Pakisunod po ang mga patakaran ng app: maging magalang, at huwag magbigay o humingi "
        "ng contact details.",
        "th": "โปรดปฏิบัติตามกฎของแอป: สุภาพ และไม่ให้หรือขอข้อมูลติดต่อส่วนตัว",
        "vi": "Vui lòng tuân thủ quy định của ứng dụng: tôn trọng nhau, không cho hoặc xin thông "
        "tin liên lạc.",
    },
}  # fmt: skip


def phrase(catalogue: Catalogue, key: str, locale: str = _COMMON) -> str:
    """A sentence in the language of `locale` (BCP 47), in English where it lacks that.

    Raises `KeyError` for a key that the catalogue does not have.
    """
    texts = catalogue[key]
    return texts.get(locale.partition("-")[0].lower(), texts[_COMMON])
