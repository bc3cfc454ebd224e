#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes what is derived from the tables of settings in tables.c.

	generate.py header TABLES OUTPUT    writes <shipopt/settings.h>
	generate.py manual TABLES OUTPUT    writes docs/settings.md
	generate.py check TABLES MANUAL     fails if docs/settings.md is out of date
"""
import ast
import re
import sys

# The order of the arguments of each macro of tables.c. `None` is the name of a C function.
MACROS = {
    'INTEGER': ('name', 'value', 'minimum', 'maximum', 'help'),
    'BOOLEAN': ('name', 'value', 'help'),
    'MONEY': ('name', 'value', 'maximum', 'currency', 'help'),
    'DECIMAL': ('name', 'value', 'maximum', 'help'),
    'TEXT': ('name', 'value', 'minimum', 'maximum', 'help'),
    'CHOICE': ('name', 'value', 'minimum', 'choices', 'help'),
    'FORM': ('name', 'value', 'minimum', 'maximum', 'check', 'help'),
    'SECRET': ('name', 'value', 'minimum', 'maximum', 'help'),
}
NOUNS = {
    'runtime': 'The runtime',
    'carrier': 'Carrier clients',
    'call': 'Raw calls of a carrier client',
    'store': 'The store of the purchase ledger',
    'source': 'Sources of orders',
    'bulk': 'Runs and purchases',
    'cache': 'Caches',
    'pool': 'PostgreSQL pools',
}
CONSTANTS = {'NULL': None, 'INT64_MAX': 2**63 - 1}
TOKEN = re.compile(r'\s*("(?:\\.|[^"\\])*"|[A-Za-z_]\w*|-?\d+|[(),{}])')


def argument(tokens):
    """The value of one argument: adjacent strings are one, as in C."""
    if tokens[0].startswith('"'):
        return ''.join(ast.literal_eval('"""' + token[1:-1] + '"""') for token in tokens)
    if re.fullmatch(r'-?\d+', tokens[0]):
        return int(tokens[0])
    return CONSTANTS.get(tokens[0], tokens[0])


def entries(text):
    """Each entry of a table, as a dictionary."""
    tokens = [match.group(1) for match in TOKEN.finditer(text)]
    while tokens:
        kind = tokens.pop(0)
        if kind not in MACROS:
            continue
        arguments, current = [], []
        tokens.pop(0)
        while (token := tokens.pop(0)) != ')':
            if token == ',':
                arguments.append(argument(current))
                current = []
            else:
                current.append(token)
        arguments.append(argument(current))
        if len(arguments) != len(MACROS[kind]):
            sys.exit(f'tables.c: {kind}({arguments[0]}) has {len(arguments)} arguments')
        yield {'kind': kind, **dict(zip(MACROS[kind], arguments))}


def read_tables(path):
    with open(path, encoding='utf-8') as file:
        text = file.read()
    tables = re.findall(r'static const struct setting (\w+)_table\[\] = \{(.*?)\n\};', text, re.S)
    found = {noun: list(entries(body)) for noun, body in tables}
    if set(found) != set(NOUNS):
        sys.exit(f'tables.c has tables of {sorted(found)}, generate.py knows {sorted(NOUNS)}')
    return {noun: found[noun] for noun in NOUNS}


def macro(noun, setting):
    return f'SHIPOPT_{noun}_{setting["name"]}'.upper()


def number(value):
    return f'{value:,}'


def money(value):
    whole, rest = divmod(value, 1000000)
    digits = f'{rest:06}'
    return f'{whole}.{digits[:2]}{digits[2:].rstrip("0")}'


def decimal(value):
    return money(value).rstrip('0').rstrip('.')


def kind_of(setting):
    kinds = {'INTEGER': 'integer', 'BOOLEAN': 'boolean', 'MONEY': 'amount', 'DECIMAL': 'decimal', 'SECRET': 'secret text'}
    return kinds.get(setting['kind'], 'text')


def default_of(setting):
    value = setting['value']
    if setting['kind'] in ('MONEY', 'DECIMAL'):
        return money(value) if setting['kind'] == 'MONEY' else decimal(value)
    if setting['kind'] in ('INTEGER', 'BOOLEAN'):
        return number(value)
    return 'not set' if value is None else 'empty' if value == '' else value


def bounds_of(setting):
    kind = setting['kind']
    if kind == 'BOOLEAN':
        return '0 or 1'
    if kind == 'CHOICE':
        return ', '.join(setting['choices'].split('|')) + (' or empty' if setting['minimum'] == 0 else '')
    if kind == 'MONEY':
        return '0.00 and more' if setting['maximum'] == 2**63 - 1 else f'0.00 to {money(setting["maximum"])}'
    if kind == 'DECIMAL':
        return f'0 to {decimal(setting["maximum"])}'
    low, high = number(setting['minimum']), number(setting['maximum'])
    if kind == 'INTEGER':
        return f'{low} to {high}'
    return f'{low} bytes' if low == high else f'{low} to {high} bytes'


HEADER = '''/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_SETTINGS_H
#define SHIPOPT_SETTINGS_H

/*
 * The names of all settings, as macros, so that the compiler finds a name that is misspelt:
 *
 *	shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, "https://…");
 *	shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_TIMEOUT_MS, 30000);
 *
 * The first function takes every setting as text: integers ("30000"), booleans ("0", "1", "true", "false", "yes", "no"),
 * amounts of money ("12.50": digits and a point, no more digits after it than the currency has) and texts. The second
 * one takes integers and booleans. Both return SHIPOPT_ENOTFOUND for an unknown name, SHIPOPT_EINVAL for a value out of
 * bounds, SHIPOPT_EENCODING for a text that is not UTF-8, SHIPOPT_ENOMEM, and the second one SHIPOPT_ETYPE for an amount
 * or a text. The value stays as it was then. shipopt_…_config_error() says what was wrong.
 *
 * A configuration keeps its first error, and the function that creates the handle fails with it. So setters may be
 * called one after the other without looking at each result. shipopt_…_config_from_env() reads the environment
 * variables, whose names are those of the macros.
 *
 * This header is generated from the table in the library's source. Since 0.2.
 */
'''


def header(tables):
    lines = [HEADER]
    for noun, settings in tables.items():
        lines.append(f'\n/* {NOUNS[noun]}: shipopt_{noun}_config. */\n')
        for setting in settings:
            text = f'{setting["help"]}. {kind_of(setting)}, {bounds_of(setting)}, default {default_of(setting)}'
            lines.append(f'/* {text} */\n#define {macro(noun, setting)} "{setting["name"]}"\n')
    lines.append('\n#endif\n')
    return ''.join(lines)


MANUAL = '''# Settings

<!-- Generated from lib/config/tables.c: python3 lib/config/generate.py manual lib/config/tables.c docs/settings.md -->

Every configuration object takes its settings by name, as text or as a number:

```c
shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, "https://api.easypost.com/v2");
shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_TIMEOUT_MS, 30000);
```

`<shipopt/settings.h>` has a macro for each name. The environment variable that `shipopt_…_config_from_env()` reads has
the name of the macro. An amount is written with digits and a point, such as `12.50`, and has at most as many digits
after the point as its currency. A boolean is 0, 1, true, false, yes or no. A secret text never appears in an error or a
log line. A value that is not allowed is refused by the setter, which keeps the old value. The configuration keeps the
first error, and creating the handle fails with it.
'''


def manual(tables):
    lines = [MANUAL]
    for noun, settings in tables.items():
        lines.append(f'\n## {NOUNS[noun]}\n\n`shipopt_{noun}_config`\n\n')
        lines.append('| Setting | Macro and environment variable | Type | Default | Allowed | What it is |\n')
        lines.append('|---|---|---|---|---|---|\n')
        for setting in settings:
            cells = [f'`{setting["name"]}`', f'`{macro(noun, setting)}`', kind_of(setting), default_of(setting),
                     bounds_of(setting), setting['help']]
            lines.append('| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |\n')
    return ''.join(lines)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ('header', 'manual', 'check'):
        sys.exit(__doc__)
    command, tables_path, path = sys.argv[1:]
    text = (header if command == 'header' else manual)(read_tables(tables_path))
    if command != 'check':
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return
    with open(path, encoding='utf-8') as file:
        if file.read() != text:
            sys.exit(f'{path} is out of date: python3 {sys.argv[0]} manual {tables_path} {path}')


main()
