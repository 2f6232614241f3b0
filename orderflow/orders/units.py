"""Units of measure that an order line may carry."""

# German trade abbreviations, then the codes of UN/ECE Recommendation 20 for the same things.
UNITS = frozenset(
    "ST KG G TO L ML HL M CM MM M2 M3 KAR KRT PAL PAK VPE SET PAA ROL FL DOS BTL SCK EIM STD TAG".split()
    + "C62 PCE KGM GRM TNE LTR MLT HLT MTR CMT MMT MTK MTQ CT PF PK PR RO BO CA HUR DAY EA".split()
)
