/// The part of Jinja that chat templates use, rendered as transformers renders it.
///
/// Start at [Template]. A template walks through [Lexer], [StatementParser] and [ExpressionParser] into a tree of
/// [Statement]s and [Expression]s, which [Interpreter] and [Evaluator] walk.
///
/// The rules are those of jinja2 3.1 in the environment that `transformers.utils.chat_template_utils` sets up: a
/// sandbox with `trim_blocks`, `lstrip_blocks`, loop controls, `{% generation %}`, `raise_exception`,
/// `strftime_now` and a `tojson` that does not escape HTML. Values are Python's:
///
/// | Python | here |
/// | --- | --- |
/// | `str` | `String`; lengths and indices count code points |
/// | `int`, `float`, `bool` | `Long`, `Double`, `Boolean` |
/// | `None` | [None] |
/// | `list`, `tuple`, `dict` | `List`, [Tuple], `Map`; templates never change one |
/// | a generator | [Generator] |
/// | jinja2's `Undefined` | [Undefined] |
@NullMarked
package dev.halftone.chat.jinja;

import org.jspecify.annotations.NullMarked;
