"""All kinds of input, by name. A new kind takes a file like these and one entry here."""

import attack_pictures
import attack_records
import attack_settings

KINDS = {kind.name: kind for kind in (attack_pictures.KIND, attack_records.KIND, attack_settings.KIND)}
