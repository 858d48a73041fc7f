"""All kinds of input, by name. A new kind takes a file like these and one entry here."""

import attack_pictures
import attack_records
import attack_settings
import attack_weights

ALL = (attack_pictures.KIND, attack_records.KIND, attack_settings.KIND, *attack_weights.kinds())
KINDS = {kind.name: kind for kind in ALL}
