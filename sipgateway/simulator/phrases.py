"""What the callers write, in six languages: opening, further texts, replies, goodbye."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language: `incidents` are (opening, further texts…), `replies` answer a call-taker."""

    incidents: tuple[tuple[str, ...], ...]
    replies: tuple[str, ...]
    goodbye: str


PHRASES = {
    "de": Phrases(
        incidents=(
            (
                "Meine Küche brennt! 🔥",
                "Es ist viel Rauch im Stiegenhaus.",
                "Zwei Kinder sind noch im dritten Stock.",
                "Ich höre schon eine Sirene 🚒",
            ),
            (
                "Mein Vater hat starke Schmerzen in der Brust.",
                "Er ist 71 und nimmt Blutverdünner.",
                "Er schwitzt und ist ganz blass 😟",
                "Die Haustür ist offen.",
            ),
        ),
        replies=(
            "Ja, verstanden 👍",
            "Ich bin allein hier und kann nicht telefonieren.",
            "Nein, sonst ist niemand verletzt.",
            "Der Eingang ist im Hof, zweite Stiege.",
        ),
        goodbye="Die Rettung ist da, vielen Dank! 🙏",
    ),
    "en": Phrases(
        incidents=(
            (
                "Someone is breaking into our house 😨",
                "We are hiding upstairs and can't speak.",
                "I hear two voices downstairs.",
                "They have just gone out into the garden.",
            ),
            (
                "Car crash, two people hurt 🚗💥",
                "One of them is trapped in the car.",
                "There is a smell of petrol.",
                "The other driver is awake but confused.",
            ),
        ),
        replies=(
            "Yes, I understand 👍",
            "No, nobody else is here.",
            "I'm deaf, I can only write.",
            "About ten minutes ago.",
        ),
        goodbye="The police have arrived. Thank you! 🙏",
    ),
    "fr": Phrases(
        incidents=(
            (
                "Ma voisine est tombée dans l'escalier 🚑",
                "Elle respire mais ne répond pas.",
                "Elle saigne à la tête.",
                "Le code de la porte est 4A17.",
            ),
            (
                "Un homme m'a suivie, j'ai peur 😰",
                "Je suis cachée dans l'arrêt de bus.",
                "Il porte une veste bleue.",
                "Il s'éloigne vers la gare.",
            ),
        ),
        replies=(
            "Oui, d'accord 👍",
            "Non, je suis seule ici.",
            "Je ne peux pas parler à voix haute.",
            "C'est au deuxième étage, à gauche.",
        ),
        goodbye="Les secours sont là, merci beaucoup ! 🙏",
    ),
    "tr": Phrases(
        incidents=(
            (
                "Deprem oldu, binada mahsur kaldık 🆘",
                "Altıncı kattayız, merdiven çöktü.",
                "Annemin bacağı kırıldı galiba.",
                "Su ve ışık yok.",
            ),
            (
                "Ormanda yangın çıktı 🔥🌲",
                "Rüzgâr köye doğru esiyor.",
                "Yol kapandı, çıkamıyoruz.",
                "Uçak sesi duyuyoruz.",
            ),
        ),
        replies=(
            "Evet, anladım 👍",
            "Hayır, başka yaralı yok.",
            "Sesli konuşamıyorum, yazabiliyorum.",
            "Yaklaşık on dakika önce.",
        ),
        goodbye="Ekip geldi, çok teşekkürler! 🙏",
    ),
    "ar": Phrases(
        incidents=(
            (
                "ابني لا يتنفس جيدًا 😥",
                "عمره أربع سنوات وعنده ربو.",
                "البخاخ لا يساعد.",
                "نحن في الطابق الثالث، الشقة 12.",
            ),
            (
                "هناك حريق في المبنى 🔥",
                "الدخان كثيف على الدرج.",
                "جدتي لا تستطيع المشي.",
                "نحن على الشرفة.",
            ),
        ),
        replies=(
            "نعم، فهمت 👍",
            "لا، لا يوجد أحد آخر.",
            "لا أستطيع الكلام، أكتب فقط.",
            "قبل عشر دقائق تقريبًا.",
        ),
        goodbye="وصلت سيارة الإسعاف، شكرًا جزيلًا! 🙏",
    ),
    "uk": Phrases(
        incidents=(
            (
                "Людині на вулиці стало зле 🚑",
                "Він непритомний, але дихає.",
                "Йому років п'ятдесят.",
                "Ми біля входу в парк.",
            ),
            (
                "У будинку пахне газом ⚠️",
                "У мене паморочиться голова.",
                "Сусіди не відчиняють двері.",
                "Я вже вийшла надвір.",
            ),
        ),
        replies=(
            "Так, зрозуміло 👍",
            "Ні, більше нікого немає.",
            "Я не чую, можу лише писати.",
            "Хвилин десять тому.",
        ),
        goodbye="Допомога приїхала, щиро дякую! 🙏",
    ),
}
