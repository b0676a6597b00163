"""Writes the first layers of a model as a file of their own.

first_layers.py MODEL.gguf < [PATH, how many]
"""

import json
import re
import sys

from gguf import GGUFReader, GGUFValueType, GGUFWriter

path, layers = json.load(sys.stdin)
reader = GGUFReader(sys.argv[1])
architecture = reader.fields["general.architecture"].contents()
writer = GGUFWriter(path, architecture)
for name, field in reader.fields.items():
    if name.startswith("GGUF.") or name == "general.architecture":
        continue
    value = layers if name == architecture + ".block_count" else field.contents()
    element = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
    writer.add_key_value(name, value, field.types[0], sub_type=element)
for tensor in reader.tensors:
    layer = re.match(r"blk\.(\d+)\.", tensor.name)
    if layer is None or int(layer[1]) < layers:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
print("[]")
