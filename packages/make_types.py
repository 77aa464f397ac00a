"""Makes the types of events in the packages from the AsyncAPI document.

    python3 packages/make_types.py            writes the files
    python3 packages/make_types.py --check    fails if the files are not what this program writes

Needs PyYAML. Where the document has an id (`id`, or a name that ends in `_id` or `_ids`) the types have text, and every
duration has a second member whose name says its unit: the packages read events so.
"""

import pathlib
import sys
import textwrap

import yaml

HERE = pathlib.Path(__file__).parent
DOCUMENT = HERE.parent / "crates/switchhook-protocol/asyncapi.yaml"
TYPESCRIPT = HERE / "typescript/src/events.ts"
PYTHON = HERE / "python/src/switchhook_receiver/events.py"
GO = HERE / "go/events.go"
PYDANTIC = HERE / "python/src/switchhook_receiver/models.py"

NOT_OF_EVENTS = ("DeliveryHeaders", "SignedEvent")
ALL_TYPES = ["string", "number", "boolean", "object", "array"]
KINDS = {
    "call": "CallEvent", "sms": "SmsEvent", "agent_status": "AgentStatusEvent",
    "contact": "ContactEvent", "changelog": "ChangeLogEvent",
}


def read_schemas():
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    kept = {name: schema for name, schema in schemas.items() if name not in NOT_OF_EVENTS and not name.endswith("OrNull")}
    return {name.removesuffix("Payload"): schema for name, schema in kept.items()}


def is_id(name):
    return name == "id" or name.endswith(("_id", "_ids"))


def is_duration(member):
    return "number" in types_of(member) and "milliseconds" in member.get("description", "")


def types_of(schema):
    """The JSON types that a value may have, without null."""
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        return [kind for kind in types if kind != "null"]
    without = schema.get("not", {}).get("type", [])
    return [kind for kind in ALL_TYPES if kind not in without]


def referred(schema):
    """The schema that this one is, or whose words it knows."""
    places = [schema, *schema.get("anyOf", [])]
    return next((place["$ref"].rsplit("/", 1)[1].removesuffix("OrNull") for place in places if "$ref" in place), None)


def type_of(name, schema, words):
    """The type of a value in one of the languages, whose `words` are given; null is the caller's."""
    target = referred(schema)
    if target:
        return target
    types = types_of(schema)
    if is_id(name) and "array" not in types:
        return "Id"
    if types == ["array"]:
        return words["list"].format(type_of(name.removesuffix("s"), schema.get("items", {}), words))
    if is_duration(schema):
        return "Milliseconds"
    if len(types) == len(ALL_TYPES):
        return words["any"]
    return words["or"].join(words[kind] for kind in types)


def members_of(schema, words):
    """Name, type and description of each member, those that are added included."""
    for name, member in schema["properties"].items():
        kind = type_of(name, member, words)
        says = " ".join(member.get("description", "").split())
        if is_duration(member):
            yield name, kind, says + f" Read `{name}_ms`, whose name says the unit."
            yield name + "_ms", kind, f"The same as `{name}`: milliseconds."
        else:
            yield name, kind, says


def comment(text, indent, width=110):
    text = " ".join(text.split())
    if len(text) + len(indent) + 7 <= width:
        return f"{indent}/** {text} */\n"
    lines = textwrap.wrap(text, width - len(indent) - 3)
    return f"{indent}/**\n" + "".join(f"{indent} * {line}\n" for line in lines) + f"{indent} */\n"


TS_WORDS = {
    "list": "{}[]", "any": "unknown", "or": " | ", "string": "string", "number": "number", "integer": "number",
    "boolean": "boolean", "object": "Record<string, unknown>", "array": "unknown[]",
}


def brief(says, name, schema):
    """The description without what the types say: units, and words that only repeat the name."""
    for said in (" (observed)", ", in milliseconds since 1970", ", in milliseconds", ", with a fraction", ", UTC",
                 ", an array of strings", ", an array of objects", ", an array", ", an object", "; an object like a Target"):
        says = says.replace(said, "")
    says = says.rstrip(".")
    repeated = {"its", "the", "a", "an", "of", "to", "is", "was", "it", "what", "when", "whether", *name.split("_")}
    words = says.lower().replace("e-mail", "email").replace("telephone number", "phone").split()
    return "" if all(word in repeated for word in words) else says


def is_time(member):
    return "since 1970" in member.get("description", "")


def typescript(schemas):
    out = [
        "// Made from the AsyncAPI document by packages/make_types.py; do not change it here.\n\n",
        comment("A word from a set that grows: the known ones, and any other. Compare with `sameWord`.", ""),
        "export type Word<Known extends string> = Known | (string & {});\n\n",
        comment("An id as text, digit for digit: ids have up to 64 bits, and a number of JavaScript only 53.", ""),
        "export type Id = string;\n\n",
        comment("Milliseconds since 1970, UTC.", ""),
        "export type Time = number;\n\n",
        comment("A length of time in milliseconds, with a fraction. Not seconds.", ""),
        "export type Milliseconds = number;\n\n",
        comment("Genuine events have more members than any document lists, and null or `{}` for what is absent.", ""),
        "export interface Open {\n  [member: string]: unknown;\n}\n",
    ]
    for name, schema in schemas.items():
        out.append("\n" + comment(schema["description"].rstrip("."), ""))
        if "enum" in schema:
            known = " | ".join(f'"{word}"' for word in schema["enum"])
            lines = textwrap.wrap(known, 106, break_long_words=False, break_on_hyphens=False)
            out.append(f"export type {name} = Word<\n" + "".join(f"  {line}\n" for line in lines) + ">;\n")
            continue
        out.append(f"export interface {name} extends Open {{\n")
        for member, kind, says in members_of(schema, TS_WORDS):
            described = schema["properties"].get(member, {})
            if is_duration(described):
                out.append(comment(f"@deprecated Read `{member}_ms`, whose name says the unit", "  "))
            elif member in schema["properties"] and brief(says, member, described):
                out.append(comment(brief(says, member, described), "  "))
            kind = "Time" if is_time(described) and kind == "number" else kind
            out.append(f"  {member}?: {kind}{'' if kind == 'unknown' else ' | null'};\n")
        out.append("}\n")
    out.append("\n" + comment("The event of each kind.", "") + "export interface EventOf {\n")
    out.extend(f"  {kind}: {name};\n" for kind, name in KINDS.items())
    out.append("}\n\n" + comment("The members that are durations; each has a second name that ends in `_ms`.", ""))
    names = ", ".join(f'"{name}"' for name in durations(schemas))
    out.append(f"export const DURATIONS: readonly string[] = [{names}];\n")
    return "".join(out)


def durations(schemas):
    names = []
    for schema in schemas.values():
        for name, member in schema.get("properties", {}).items():
            if is_duration(member) and name not in names:
                names.append(name)
    return names


PY_WORDS = {
    "list": "List[{}]", "any": "Any", "or": ", ", "string": "str", "number": "float", "integer": "int",
    "boolean": "bool", "object": "Dict[str, Any]", "array": "List[Any]",
}


def optional(kind):
    if kind == "Any":
        return kind
    return f"Optional[Union[{kind}]]" if ", " in kind and "[" not in kind else f"Optional[{kind}]"


def doc(text, indent):
    text = " ".join(text.split())
    if len(text) + len(indent) + 6 <= 110:
        return f'{indent}"""{text}"""\n'
    lines = textwrap.wrap(text, 110 - len(indent))
    return f'{indent}"""' + f"\n{indent}".join(lines) + f'\n{indent}"""\n'


def python_head(says, imports):
    return f'"""{says}\n\nMade from the AsyncAPI document by packages/make_types.py; do not change it here.\n"""\n\n{imports}\n'


def python(schemas):
    out = [python_head("The events, typed: what `Received.payload` holds.",
                       "from typing import Any, Dict, List, Optional, TypedDict, Union")]
    out.append("\n#: An id as text, digit for digit: some come as numbers and some as text, and both may have 64 bits.\nId = str\n")
    out.append("\n#: A length of time in milliseconds, with a fraction. Not seconds.\nMilliseconds = float\n")
    for name, schema in schemas.items():
        if "enum" in schema:
            out.append(f"\n#: {schema['description']} Any other may come: compare with `same_word`.\n{name} = str\n")
            constant = "KNOWN_" + "".join("_" + c if c.isupper() else c.upper() for c in name).lstrip("_")
            words = ", ".join(f'"{word}"' for word in schema["enum"])
            lines = textwrap.wrap(words, 106, break_long_words=False, break_on_hyphens=False)
            out.append(f"{constant} = (\n" + "".join(f"    {line}\n" for line in lines) + ")\n")
    for name, schema in ordered(schemas):
        out.append(f"\n\nclass {name}(TypedDict, total=False):\n" + doc(schema["description"], "    ") + "\n")
        for member, kind, says in members_of(schema, PY_WORDS):
            out.append("".join(f"    #: {line}\n" for line in textwrap.wrap(says, 104)))
            out.append(f"    {member}: {optional(kind)}\n")
    out.append("\n\n#: The members that are durations; each has a second name that ends in `_ms`.\n")
    names = ", ".join(f'"{name}"' for name in durations(schemas))
    out.append(f"DURATIONS = ({names})\n")
    return "".join(out)


def ordered(schemas):
    """Objects, those that others are made of first."""
    return [(name, schema) for name, schema in schemas.items() if name == "ChangedBy"] + [
        (name, schema) for name, schema in schemas.items() if "properties" in schema and name != "ChangedBy"
    ]


def pydantic(schemas):
    imports = "from typing import Any, Dict, List, Optional, Union\n\nfrom pydantic import BaseModel, ConfigDict, field_validator\n"
    says = "The events as pydantic models: `CallEvent.model_validate(received.payload)`. Needs `switchhook-receiver[pydantic]`."
    out = [python_head(says, imports + "\nfrom .events import (  # noqa: F401")]
    aliases = ["Id", "Milliseconds"] + [name for name, schema in schemas.items() if "enum" in schema]
    out.append("".join(f"    {name},\n" for name in aliases) + ")\n")
    out.append(
        '\n\nclass Model(BaseModel):\n    """Keeps members that no schema lists, and reads `{}` for an absent object as `None`."""\n\n'
        '    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True)\n\n'
        '    @field_validator("*", mode="before")\n    @classmethod\n    def _absent(cls, value: Any) -> Any:\n'
        "        return None if value == {} else value\n"
    )
    for name, schema in ordered(schemas):
        out.append(f"\n\nclass {name}(Model):\n" + doc(schema["description"], "    ") + "\n")
        for member, kind, _ in members_of(schema, PY_WORDS):
            out.append(f"    {member}: {optional(kind)} = None\n")
    return "".join(out)


GO_WORDS = {
    "list": "[]{}", "any": "json.RawMessage", "or": " ", "string": "string", "number": "*float64", "integer": "*int64",
    "boolean": "*bool", "object": "map[string]json.RawMessage", "array": "[]json.RawMessage",
}


def go_name(name):
    initials = {"id": "ID", "ids": "IDs", "url": "URL", "urls": "URLs", "sms": "SMS", "mms": "MMS", "ai": "AI", "ms": "MS"}
    return "".join(initials.get(word, word.capitalize()) for word in name.split("_"))


def go_type(name, member, schemas):
    target = referred(member)
    if target:
        return "string" if "enum" in schemas[target] else "*" + target
    kind = type_of(name, member, GO_WORDS)
    if kind == "Id":
        return "ID"
    if kind == "[]Id":
        return "[]ID"
    if is_duration(member):
        return "*Milliseconds"
    if is_time(member):
        return "Time"
    return "json.RawMessage" if " " in kind else kind


def go(schemas):
    out = [
        "// Made from the AsyncAPI document by packages/make_types.py; do not change it here.\n\npackage receiver\n\n"
        'import "encoding/json"\n'
    ]
    for name, schema in ordered(schemas):
        out.append("\n" + go_comment(f"{name}: {schema['description']}", "") + f"type {name} struct {{\n")
        rows = []
        for member, described in schema["properties"].items():
            # Every member has a comment, so that gofmt has no columns to align.
            says = described.get("description") or schemas[referred(described)]["description"]
            field = go_name(member) + ("MS" if is_duration(described) else "")
            rows.append((says, field, go_type(member, described, schemas), f'`json:"{member}"`'))
        for says, field, kind, tag in rows:
            out.append(go_comment(says, "\t") + f"\t{field} {kind} {tag}\n")
        out.append("}\n")
    return "".join(out)


def go_comment(text, indent):
    return "".join(f"{indent}// {line}\n" for line in textwrap.wrap(" ".join(text.split()), 112))


def main():
    schemas = read_schemas()
    files = {TYPESCRIPT: typescript(schemas), GO: go(schemas), PYTHON: python(schemas), PYDANTIC: pydantic(schemas)}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if sys.argv[1:] == ["--check"]:
        if stale:
            names = ", ".join(str(path.relative_to(HERE)) for path in stale)
            sys.exit(f"not current: {names}; run python3 packages/make_types.py")
        return
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
        print(path.relative_to(HERE))


if __name__ == "__main__":
    main()
