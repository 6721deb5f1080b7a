"""Published aggregate figures of the real shop, October and November 2019.

The generator is calibrated on them; this file has no row of the data. The data set is "eCommerce
behavior data from multi category store" (Michael Kechinov, REES46 Marketing Platform, Kaggle).

Sources, by the short names used below:

* CP: Hariharan-afk/CommercePulse-Ecommerce-Product-Analytics, `dashboards/data/*.csv`;
* JD: jendives2000/ecommerce-behavior-analytics, `sql/results/*.csv`;
* AT: AlkaifTraine/ecommerce-ml-platform, `docs/PROJECT_REFERENCE.md`;
* CR: notebook "Data Understanding, CRISP-DM Phase 2"; DL: notebook "Decision Log";
* rows: statistics of the first 17,434 rows of October and of a sample of November 5-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

EVENTS: Final = 109_950_743  # CP
PRODUCTS: Final = 206_876  # CP
BRANDS: Final = 4_303  # KPI notebook
SESSIONS: Final = 23_016_650  # CP
USERS: Final = 5_316_649  # CP
CATEGORY_IDS_WITHOUT_CODE: Final = 409  # DL

FIRST_DAY: Final = date(2019, 10, 1)
# JD: events a day, 2019-10-01 to 2019-11-30.
DAILY_EVENTS: Final = (
    1_244_245, 1_191_328, 1_127_303, 1_417_190, 1_330_339, 1_318_379, 1_200_531,
    1_370_633, 1_347_543, 1_284_077, 1_495_343, 1_479_896, 1_639_071, 1_454_702,
    1_542_225, 1_522_390, 1_407_007, 1_481_799, 1_449_293, 1_509_992, 1_405_416,
    1_416_872, 1_381_126, 1_316_501, 1_435_328, 1_347_268, 1_388_553, 1_260_880,
    1_227_910, 1_210_145, 1_245_479, 1_445_360, 1_555_538, 1_567_774, 1_793_128,
    1_717_244, 1_694_821, 1_796_833, 1_896_402, 1_877_906, 1_940_575, 2_009_390,
    1_987_569, 2_019_165, 3_069_726, 6_220_416, 6_502_957, 6_395_377, 2_021_512,
    1_728_541, 1_700_086, 1_677_336, 1_568_243, 1_561_716, 1_591_765, 1_593_582,
    1_654_879, 1_646_456, 1_658_378, 1_854_426, 1_754_878,
)  # fmt: skip

# AT, DL: the days whose event counts are published by type: events, carts, purchases.
PROMOTION_DAYS: Final = {
    date(2019, 11, 14): (3_069_726, 170_472, 22_124),
    date(2019, 11, 15): (6_220_416, 483_305, 0),
    date(2019, 11, 16): (6_502_957, 406_778, 68_247),
    date(2019, 11, 17): (6_395_377, 426_941, 185_195),
}
BLACK_FRIDAY: Final = date(2019, 11, 29)
BLACK_FRIDAY_PURCHASE_SHARE: Final = 32_107 / 1_854_426  # AT

# Before this day, carts were tracked for few categories (rows: the switch is at about 02:00 UTC).
CART_TRACKING_DAY: Final = date(2019, 11, 8)
CART_TRACKING_HOUR: Final = 2

# CP: October, and November without the promotion days; the first week of November keeps October's
# ratio of carts to purchases, and the remaining carts are on the days from November 8.
OCTOBER_CART_SHARE: Final = 926_516 / 42_448_764
OCTOBER_PURCHASE_SHARE: Final = 742_849 / 42_448_764
NOVEMBER_PURCHASE_SHARE: Final = 641_373 / 45_313_503
FIRST_WEEK_CART_SHARE: Final = OCTOBER_CART_SHARE * (
    NOVEMBER_PURCHASE_SHARE / OCTOBER_PURCHASE_SHARE
)
TRACKED_CART_SHARE: Final = 0.0396
# CP: buying sessions with a cart event, October and (derived) from November 8.
CART_GIVEN_PURCHASE_BEFORE: Final = 280_650 / 629_560
CART_GIVEN_PURCHASE_AFTER: Final = 0.92

CARTS_PER_CART_SESSION: Final = 3_955_446 / 2_316_432  # CP
PURCHASES_PER_BUYING_SESSION: Final = 1_659_788 / 1_402_758  # CP

# CR: sessions by the UTC hour of their start, and the percentage of them that buys.
SESSIONS_BY_HOUR: Final = (
    161_388, 318_215, 620_359, 898_793, 1_141_140, 1_267_810, 1_332_672, 1_359_781,
    1_405_942, 1_372_560, 1_336_487, 1_298_479, 1_283_080, 1_369_354, 1_464_288, 1_474_351,
    1_391_928, 1_233_413, 927_200, 597_206, 341_583, 198_014, 122_348, 100_259,
)  # fmt: skip
PURCHASE_RATE_BY_HOUR: Final = (
    3.05, 2.94, 3.84, 5.79, 6.63, 6.96, 7.04, 7.09, 7.40, 7.75, 7.56, 7.26,
    6.80, 6.15, 5.61, 5.10, 4.83, 4.73, 4.09, 4.26, 4.43, 4.79, 4.89, 4.37,
)  # fmt: skip

# rows: 2019-10-01, seconds of the day between which about 2 events a minute came in.
OUTAGE_DAY: Final = FIRST_DAY
OUTAGE: Final = (20 * 60, 130 * 60)
OUTAGE_RATE: Final = 0.007

# AT, FL: share of sessions with at least this many events; geometric between the points.
SESSION_SIZE_SURVIVAL: Final = (
    (1, 1.0), (2, 0.6408), (3, 0.48), (5, 0.28), (10, 0.117), (20, 0.035), (36, 0.0098),
    (51, 0.0032), (100, 4e-4), (300, 1e-5), (600, 1e-7),
)  # fmt: skip
# JD (seven months): share of sessions that buy, by minimum number of events.
PURCHASE_RATE_BY_SIZE: Final = ((1, 0.0015), (2, 0.022), (3, 0.10), (6, 0.14))

# rows: seconds between events of a session, by quantile.
GAP_QUANTILES: Final = (
    (0.0011, 1), (0.10, 11), (0.25, 19), (0.50, 34), (0.75, 68), (0.90, 141), (0.95, 229),
    (0.99, 795), (0.9953, 1_800), (1.0, 10_800),
)  # fmt: skip

# Oddities over the 109,950,743 rows (AT, DL, KPI).
NULL_SESSIONS: Final = 12
SHARED_SESSIONS: Final = 939
# 3,821 ids occur in both months; the same number is assumed to recur within a month.
REUSED_SESSIONS: Final = 7_642
BOT_SESSIONS: Final = 47
DUPLICATED_VIEWS: Final = 3_606
ZERO_PRICE_ROWS: Final = 256_761
BRAND_FLIPPING_PRODUCTS: Final = 62
OTHER_UUID_VERSIONS: Final = 0.007

LOWEST_PRICE_CENTS: Final = 77
PRICE_CEILING_CENTS: Final = 257_407
# DL: products by number of price versions: share, fewest, most.
PRICE_VERSIONS: Final = (
    (0.527, 1, 1), (0.338, 2, 5), (0.104, 6, 20), (0.0301, 21, 100), (0.0009, 101, 1_000),
)  # fmt: skip
# rows: relative size of a price change, by quantile.
PRICE_CHANGE_QUANTILES: Final = (
    (0.0, 2e-5), (0.10, 6e-5), (0.25, 3e-4), (0.50, 3.4e-3), (0.75, 3.5e-2), (0.90, 9.7e-2),
    (1.0, 0.3),
)  # fmt: skip

# rows: user ids of October 1 by quantile (the newest below 555,466,492), the oldest of all.
USER_ID_QUANTILES: Final = (
    (0.0, 306_441_847), (0.001, 438_226_428), (0.01, 512_381_510), (0.05, 512_736_536),
    (0.10, 513_277_088), (0.25, 516_225_727), (0.50, 531_515_767), (0.75, 550_316_489),
    (1.0, 555_461_000),
)  # fmt: skip
FIRST_NEW_USER_ID: Final = 555_462_000
# rows: 566,281,339 is the newest on November 1, after 31 days.
NEW_USER_IDS_PER_DAY: Final = 349_000


@dataclass(frozen=True)
class CategoryRoot:
    """First level of the category tree.

    Counts of October and November (CP, `monthly_category_performance.csv`), the products active
    in November, and the share of rows without a brand (rows; null root and total: NA notebook).
    """

    name: str
    events: tuple[int, int]
    carts: tuple[int, int]
    purchases: tuple[int, int]
    products: int
    brand_null: float


# The empty name is for rows without a category code.
CATEGORY_ROOTS: Final = (
    CategoryRoot(
        "", (13_515_609, 21_898_171), (105_726, 826_493), (173_425, 234_218), 107_933, 0.267
    ),
    CategoryRoot(
        "electronics",
        (16_135_623, 24_006_086),
        (674_205, 1_524_255),
        (423_028, 493_639),
        15_900,
        0.02,
    ),
    CategoryRoot(
        "appliances", (4_967_294, 8_489_825), (92_362, 352_819), (74_996, 99_026), 13_150, 0.08
    ),
    CategoryRoot(
        "computers", (2_324_217, 4_181_358), (27_434, 117_832), (27_855, 34_477), 8_696, 0.02
    ),
    CategoryRoot(
        "furniture", (1_247_160, 2_111_829), (2_407, 41_489), (8_301, 11_542), 7_950, 0.56
    ),
    CategoryRoot("auto", (1_013_115, 1_214_159), (9_067, 39_162), (10_620, 10_719), 1_533, 0.20),
    CategoryRoot("apparel", (1_542_924, 3_011_101), (26, 54_264), (8_002, 14_215), 16_884, 0.18),
    CategoryRoot(
        "construction", (730_834, 1_092_155), (10_343, 36_384), (7_801, 8_699), 6_468, 0.26
    ),
    CategoryRoot("kids", (520_619, 806_384), (2_652, 20_701), (5_482, 6_166), 5_644, 0.18),
    CategoryRoot("sport", (176_616, 247_994), (1_056, 5_742), (1_236, 1_489), 2_575, 0.03),
    CategoryRoot("accessories", (238_238, 390_038), (549, 7_511), (1_587, 2_154), 2_857, 0.11),
    CategoryRoot("country_yard", (14_089, 17_719), (61, 360), (72, 60), 191, 0.05),
    CategoryRoot("medicine", (14_806, 22_382), (522, 1_274), (310, 344), 28, 0.05),
    CategoryRoot("stationery", (7_620, 12_778), (106, 644), (134, 191), 853, 0.05),
)

# rows: category code, its category ids, weight within its root, mean and deviation of ln(price).
CATEGORY_CODES: Final = (
    ("electronics.smartphone", 1, 4856, 5.86, 0.83),
    ("electronics.clocks", 3, 589, 5.2, 1.1),
    ("electronics.audio.headphone", 2, 410, 4.2, 1.0),
    ("electronics.video.tv", 2, 259, 5.9, 0.64),
    ("electronics.telephone", 2, 175, 3.3, 0.6),
    ("electronics.audio.subwoofer", 1, 96, 4.5, 0.7),
    ("electronics.tablet", 3, 75, 5.55, 1.0),
    ("electronics.audio.acoustic", 3, 24, 5.0, 0.8),
    ("electronics.camera.video", 1, 20, 5.3, 0.45),
    ("electronics.video.projector", 1, 15, 6.3, 0.85),
    ("electronics.audio.microphone", 1, 11, 3.4, 1.1),
    ("electronics.camera.photo", 1, 4, 6.4, 0.5),
    ("electronics.audio.music_tools.piano", 1, 2, 6.0, 0.6),
    ("appliances.kitchen.refrigerators", 4, 344, 5.75, 0.6),
    ("appliances.environment.vacuum", 4, 277, 4.75, 0.83),
    ("appliances.environment.air_heater", 2, 249, 3.6, 0.6),
    ("appliances.kitchen.washer", 2, 235, 5.75, 0.5),
    ("appliances.kitchen.meat_grinder", 1, 128, 4.35, 0.56),
    ("appliances.environment.water_heater", 1, 98, 4.6, 0.54),
    ("appliances.kitchen.microwave", 1, 93, 4.5, 0.65),
    ("appliances.iron", 2, 88, 3.4, 0.7),
    ("appliances.kitchen.blender", 2, 86, 3.9, 0.52),
    ("appliances.environment.air_conditioner", 1, 69, 5.4, 0.48),
    ("appliances.sewing_machine", 1, 60, 5.7, 0.9),
    ("appliances.kitchen.oven", 1, 59, 4.3, 0.8),
    ("appliances.kitchen.hood", 1, 58, 4.5, 0.54),
    ("appliances.kitchen.kettle", 3, 57, 3.5, 0.83),
    ("appliances.kitchen.mixer", 2, 50, 3.6, 1.0),
    ("appliances.kitchen.dishwasher", 1, 43, 6.0, 0.3),
    ("appliances.kitchen.grill", 1, 41, 5.0, 0.5),
    ("appliances.kitchen.hob", 1, 30, 5.2, 0.66),
    ("appliances.personal.hair_cutter", 1, 26, 3.25, 0.65),
    ("appliances.personal.scales", 2, 25, 2.85, 0.54),
    ("appliances.kitchen.juicer", 1, 11, 4.75, 0.5),
    ("appliances.ironing_board", 1, 11, 3.6, 0.3),
    ("appliances.kitchen.coffee_machine", 1, 9, 4.8, 1.2),
    ("appliances.personal.massager", 1, 8, 2.85, 0.4),
    ("appliances.kitchen.toster", 2, 8, 3.8, 0.9),
    ("appliances.kitchen.steam_cooker", 1, 7, 3.75, 0.3),
    ("computers.notebook", 1, 596, 6.38, 0.6),
    ("computers.desktop", 4, 119, 6.25, 0.8),
    ("computers.components.videocards", 2, 63, 5.7, 0.77),
    ("computers.peripherals.monitor", 1, 46, 5.0, 0.85),
    ("computers.peripherals.printer", 2, 39, 5.0, 0.46),
    ("computers.components.hdd", 2, 35, 3.85, 0.4),
    ("computers.peripherals.keyboard", 1, 28, 3.5, 0.75),
    ("computers.peripherals.mouse", 1, 27, 3.1, 1.1),
    ("computers.components.motherboard", 1, 24, 4.75, 0.6),
    ("computers.components.memory", 1, 24, 3.95, 0.75),
    ("computers.components.power_supply", 1, 18, 4.3, 0.3),
    ("computers.components.cpu", 1, 15, 5.2, 0.8),
    ("computers.components.cooler", 2, 10, 3.2, 0.9),
    ("computers.ebooks", 1, 4, 4.8, 0.2),
    ("furniture.living_room.cabinet", 3, 148, 5.6, 0.43),
    ("furniture.living_room.sofa", 2, 129, 6.2, 0.36),
    ("furniture.bedroom.bed", 4, 118, 5.1, 0.7),
    ("furniture.kitchen.chair", 2, 55, 3.8, 0.67),
    ("furniture.kitchen.table", 4, 49, 4.9, 0.83),
    ("furniture.living_room.chair", 2, 31, 5.2, 0.7),
    ("furniture.bedroom.pillow", 1, 17, 2.9, 0.74),
    ("furniture.bathroom.bath", 1, 14, 5.1, 0.74),
    ("furniture.bathroom.toilet", 1, 12, 4.25, 0.3),
    ("furniture.universal.light", 1, 10, 5.0, 1.2),
    ("furniture.bedroom.blanket", 1, 3, 4.1, 0.3),
    ("auto.accessories.player", 1, 251, 4.5, 0.66),
    ("auto.accessories.alarm", 1, 134, 4.75, 0.42),
    ("auto.accessories.videoregister", 1, 77, 4.55, 0.7),
    ("auto.accessories.compressor", 3, 17, 4.8, 0.46),
    ("auto.accessories.radar", 1, 5, 4.8, 0.7),
    ("auto.accessories.parktronic", 1, 4, 3.75, 0.7),
    ("auto.accessories.winch", 1, 4, 6.2, 0.3),
    ("apparel.shoes", 27, 241, 4.4, 0.43),
    ("apparel.shoes.keds", 5, 192, 4.3, 0.4),
    ("apparel.shoes.sandals", 3, 27, 3.6, 0.25),
    ("apparel.costume", 3, 19, 4.6, 0.57),
    ("apparel.shoes.slipons", 2, 18, 3.9, 0.48),
    ("apparel.shoes.moccasins", 2, 12, 4.25, 0.42),
    ("apparel.underwear", 1, 7, 3.0, 0.33),
    ("apparel.trousers", 2, 6, 3.65, 0.52),
    ("apparel.dress", 2, 5, 3.5, 0.3),
    ("apparel.jeans", 1, 4, 3.9, 0.3),
    ("apparel.shirt", 2, 4, 4.0, 0.7),
    ("apparel.tshirt", 2, 4, 3.3, 0.75),
    ("apparel.jacket", 1, 2, 3.9, 0.4),
    ("apparel.scarf", 1, 2, 2.9, 0.4),
    ("construction.tools.drill", 3, 82, 4.45, 0.72),
    ("construction.tools.saw", 4, 72, 5.0, 0.9),
    ("construction.tools.welding", 1, 44, 5.3, 0.77),
    ("construction.tools.pump", 1, 34, 4.2, 0.65),
    ("construction.tools.light", 3, 30, 2.15, 0.75),
    ("construction.tools.generator", 2, 24, 4.8, 1.0),
    ("construction.tools.painting", 1, 5, 3.15, 0.5),
    ("construction.components.faucet", 1, 3, 3.45, 0.46),
    ("kids.carriage", 1, 79, 4.85, 0.52),
    ("kids.toys", 4, 35, 3.1, 0.82),
    ("kids.skates", 1, 24, 5.75, 0.7),
    ("kids.dolls", 1, 21, 3.3, 0.68),
    ("kids.fmcg.diapers", 1, 11, 2.1, 0.68),
    ("kids.swing", 1, 4, 5.4, 0.5),
    ("sport.bicycle", 5, 84, 5.4, 0.8),
    ("sport.trainer", 2, 4, 5.85, 0.53),
    ("sport.snowboard", 2, 3, 5.55, 0.44),
    ("sport.tennis", 2, 2, 3.9, 1.0),
    ("sport.ski", 1, 1, 5.8, 0.5),
    ("accessories.bag", 7, 102, 3.95, 0.8),
    ("accessories.wallet", 1, 20, 3.8, 0.33),
    ("accessories.umbrella", 1, 5, 3.25, 0.3),
    ("country_yard.cultivator", 1, 4, 5.25, 0.85),
    ("country_yard.furniture.hammok", 1, 5, 4.2, 0.9),
    ("medicine.tools.tonometer", 1, 9, 3.85, 0.41),
    ("stationery.cartrige", 1, 17, 2.3, 0.3),
)
# rows: the same for the categories without a code, between and within categories.
UNCODED_LOG_PRICE: Final = (4.60, 1.15, 0.57)

# CP: smartphones by brand, share of events; rows and CP: mean and deviation of ln(price).
SMARTPHONE_BRANDS: Final = (
    ("samsung", 0.320, 5.52, 0.62),
    ("apple", 0.300, 6.80, 0.43),
    ("xiaomi", 0.172, 5.27, 0.46),
    ("huawei", 0.100, 5.33, 0.57),
    ("oppo", 0.028, 5.45, 0.46),
    ("vivo", 0.018, 5.55, 0.31),
    ("meizu", 0.012, 4.88, 0.43),
    ("nokia", 0.012, 5.10, 0.70),
    ("oneplus", 0.007, 6.50, 0.25),
    ("sony", 0.006, 5.87, 0.68),
    ("lg", 0.005, 5.60, 0.30),
    ("honor", 0.005, 5.60, 0.48),
    ("bq", 0.005, 4.00, 0.35),
    ("tp-link", 0.005, 4.60, 0.20),
    ("umi", 0.005, 5.00, 0.40),
)
# Blog and JD: brands with many purchases, in the roots where they are sold.
BRANDS_BY_ROOT: Final = {
    "electronics": (
        "samsung", "apple", "xiaomi", "lg", "sony", "huawei", "casio", "jbl", "artel", "philips",
        "elenberg", "pioneer", "haier", "nokia", "canon",
    ),
    "appliances": (
        "samsung", "lg", "bosch", "artel", "indesit", "midea", "elenberg", "haier", "beko",
        "tefal", "philips", "redmond", "polaris", "vitek", "dauscher",
    ),
    "computers": ("lenovo", "acer", "hp", "asus", "apple", "dell", "msi", "samsung", "canon"),
    "auto": ("pioneer", "starline", "sony"),
    "": ("lucente", "sony", "respect", "xiaomi", "cordiant", "triangle", "nokian"),
}  # fmt: skip
