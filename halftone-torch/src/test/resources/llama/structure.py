"""What gguf-py reads in a file: structure.py MODEL.gguf prints [{key: [types, value]}, {tensor: [type, shape]}]."""

import json
import sys

from gguf import GGUFReader

reader = GGUFReader(sys.argv[1])
keys = {
    name: [[t.name for t in field.types], field.contents()]
    for name, field in reader.fields.items()
    if not name.startswith("GGUF.")
}
# Sizes are innermost first there.
tensors = {t.name: [t.tensor_type.name, [int(n) for n in reversed(t.shape)]] for t in reader.tensors}
print(json.dumps([keys, tensors]))
