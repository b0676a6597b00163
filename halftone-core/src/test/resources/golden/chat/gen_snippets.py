"""Small templates through transformers' own Jinja environment: snippets.json beside this file.

Each case: {"source", "expected" | "error"}; all are rendered with VARIABLES. An error that transformers raises need not
have the same words in Halftone, but must be one there too.
"""
import json
import pathlib

import transformers
import jinja2
from transformers.utils.chat_template_utils import _compile_jinja_template

VARIABLES = {
    "n": 5, "m": -7, "f": 2.5, "big": 1e16, "small": 1e-5, "t": True, "no": None, "s": "Hello World", "e": "", "u": "日本語😀é",
    "ws": "  \t pad\n ", "xs": [3, 1, 2], "names": ["b", "A", "c", "a"], "nested": [[1, 2], ["x", None]], "empty": [],
    "d": {"a": 1, "b": "two", "c": None, "items": "key"}, "rows": [
        {"role": "user", "n": 2, "in": {"deep": [7, 8]}}, {"role": "assistant", "n": 1}, {"role": "user", "n": 3, "x": ""}],
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}, {"role": "assistant", "content": "A"}],
}

EXPRESSIONS = r"""
n + 2 ; n - 2 ; n * 2 ; n / 2 ; n // 2 ; m // 2 ; m % 3 ; -n ; +n ; n ** 2 ; 2 ** 3 ** 2 ; 2 ** -1 ; f * 2 ; 7.0 // 2 ; -7 % 3.5
10 / 5 ; 1 + 2 * 3 ; (1 + 2) * 3 ; 1 - -1 ; n + t ; t + t ; big ; small ; 1e400 ; 0.1 + 0.2 ; 1e22 ; 123456789.123 ; 100000000000000000.0
-0.0 ; 1_000 ; 0x1F ; 0b101 ; 0o17 ; 1.5e3 ; 1e3 ; n / 0 ; n // 0 ; n % 0 ; 2.0 ** 0.5
'a' + 'b' ; 'a' 'b' ; "a" ~ 1 ~ none ~ missing ; 'a' * 3 ; 3 * 'ab' ; 'a' * -1 ; [1] * 2 ; [1] + [2] ; (1,) + (2,) ; 'a' + 1 ; 1 + 'a' ; [1] + (2,)
'%s and %d' % ('x', 3) ; '%5.2f|%-5s|%05d' % (f, 'a', n) ; '%x %X %o' % (255, 255, 8) ; '100%%' % () ; '%s' % 'one' ; '%s %s' % 'one' ; '%r' % ('q',) ; '%(a)s' % d
'' % xs ; '' % 1 ; '%+d' % 3 ; '%.3s' % 'abcdef' ; '%e' % 12345.678
n == 5 ; n == 5.0 ; t == 1 ; 's' == s ; xs == [3, 1, 2] ; (1, 2) == [1, 2] ; d == d ; no == none ; missing == other ; n != 4 ; 1 < 2 < 3 ; 1 < 3 < 2 ; 'a' < 'b' ; [1, 2] < [1, 3]
1 < 'a' ; no < 1 ; missing < 1 ; 'a' in 'abc' ; 1 in xs ; 9 not in xs ; 'a' in d ; 'z' in d ; 1 in 'abc' ; 1 in missing ; missing in xs ; 1 in 5
not n ; not e ; not missing ; n and s ; e or 'x' ; e and 'x' ; none or missing or 0 ; not n == 5 ; not (n and e) ; true and false or true
'y' if n else 'z' ; 'y' if e else 'z' ; 'y' if e ; ('y' if e) is defined ; 'a' if e else 'b' if n else 'c'
d.a ; d['a'] ; d.b ; d.zzz ; d['zzz'] ; d.zzz.more ; d.items ; d['items'] ; d.get('a') ; d.get('zzz') ; d.get('zzz', 4) ; d.keys() | list ; d.values() | list ; d.items() | list
xs[0] ; xs[-1] ; xs[9] ; xs[9].a ; xs['a'] ; xs.0 ; s[0] ; s[-1] ; s[50] ; s.zzz ; u[3] ; u[-1] ; u | length ; no.a ; no['a'] ; missing.a ; missing['a'] ; n.a
xs[1:] ; xs[:1] ; xs[::-1] ; xs[::2] ; xs[-2:] ; xs[5:] ; xs[:-1] ; s[1:4] ; s[::-1] ; u[2:4] ; u[::-1] ; s[:100] ; xs[::0] ; (1, 2, 3)[1:] ; n[1:] ; xs[1:none] ; xs['a':]
s.upper() ; s.lower() ; s.title() ; s.capitalize() ; 'aBc'.swapcase() ; ws.strip() ; ws.lstrip() ; ws.rstrip() ; 'xxaxx'.strip('x') ; 'abcab'.strip('ab') ; s.startswith('He') ; s.startswith(('x', 'H')) ; s.endswith('ld') ; s.endswith('x')
s.split() ; s.split('o') ; s.split('o', 1) ; s.rsplit('o', 1) ; ' a  b '.split() ; ' a  b c '.split(none, 1) ; ' a  b c '.rsplit(none, 1) ; s.split('') ; 'a,b,c'.split(',')[-1] ; ''.split() ; ''.split(',') ; 'aXbXc'.rsplit('X') ; s.split(maxsplit=1) ; s.split(sep='l')
s.replace('o', '0') ; s.replace('o', '0', 1) ; 'aaa'.replace('', '-') ; 'aaa'.replace('', '-', 2) ; s.find('o') ; s.find('z') ; s.rfind('o') ; s.index('o') ; s.index('z') ; u.find('é') ; s.count('l') ; 'aaaa'.count('aa') ; 'ab'.count('')
'-'.join(['a', 'b']) ; '-'.join('abc') ; '-'.join([1]) ; 'abc'.isalpha() ; 'ab1'.isalnum() ; '12'.isdigit() ; ''.isdigit() ; ' '.isspace() ; 'aB'.isupper() ; 'AB'.isupper() ; 'ab'.islower() ; s.partition(' ') ; s.rpartition('o') ; s.partition('zz')
'abc'.removeprefix('a') ; 'abc'.removesuffix('c') ; 'a\nb\r\nc'.splitlines() ; 'a\nb\n'.splitlines(true) ; '5'.zfill(3) ; '-5'.zfill(4) ; 'a'.ljust(3) ~ '|' ; 'a'.rjust(3) ; 'they\'re Bill\'s'.title() ; s.zzz()
xs.index(1) ; xs.index(9) ; xs.count(1) ; xs.append(4) ; d.update({}) ; d.pop('a') ; d.copy() ; xs.copy()
s | upper ; s | lower ; 'hello world' | title ; "it's a (test) x-y" | title ; 'hELLO' | capitalize ; ws | trim ; 'xxaxx' | trim('x') ; s | length ; xs | count ; n | length ; no | length ; missing | length ; e | length ; d | length
n | default(1) ; missing | default(1) ; missing | default ; no | default(1) ; no | default(1, true) ; e | d('x', boolean=true) ; missing.a | default(1)
xs | first ; xs | last ; empty | first ; empty | last ; (empty | first) is defined ; s | first ; d | first ; xs | min ; xs | max ; names | max ; names | min ; empty | max ; rows | max(attribute='n') ; xs | sum ; xs | sum(start=10) ; rows | sum(attribute='n') ; empty | sum
xs | sort ; xs | sort(reverse=true) ; names | sort ; names | sort(case_sensitive=true) ; rows | sort(attribute='n') | map(attribute='n') | list ; [1, 'a'] | sort
xs | join ; xs | join(', ') ; rows | join(', ', attribute='role') ; 'abc' | join('-') ; [1, none, 'x', missing] | join('|') ; d | join(',')
xs | reverse | list ; s | reverse ; xs | list ; s | list ; d | list ; (1, 2) | list ; no | list ; n | list ; names | unique | list ; names | unique(true) | list ; rows | unique(attribute='role') | map(attribute='n') | list
rows | map(attribute='role') | list ; rows | map(attribute='in.deep.1') | list ; rows | map(attribute='in.deep.1', default='-') | list ; names | map('upper') | list ; xs | map('string') | join ; names | map('replace', 'a', 'z') | list ; xs | map('zzz') | list
xs | select('odd') | list ; xs | select('gt', 1) | list ; [0, 1, ''] | select | list ; xs | reject('even') | list ; rows | selectattr('role', 'equalto', 'user') | list | length ; rows | selectattr('x') | list ; rows | selectattr('x', 'defined') | list | length ; rows | rejectattr('role', '==', 'user') | list
rows | selectattr('n', 'in', [1, 2]) | map(attribute='n') | list ; 'yes' if empty | map('upper') else 'no' ; no | map('upper') | list ; 0 | select | list ; no | selectattr('a') | list ; n | indent ; rows | map(attribute='n') | length ; (xs | map('abs'))[0] ; xs | map('abs') | first
-3 | abs ; m | abs ; f | abs ; 'a' | abs ; f | round ; 2.567 | round(2) ; 2.5 | round ; 3.5 | round ; 2.1 | round(0, 'ceil') ; 2.9 | round(method='floor') ; 25 | round(-1) ; 5 | round ; 1.005 | round(2) ; f | int ; '42' | int ; '4.7' | int ; 'x' | int ; 'x' | int(7) ; 'ff' | int(0, 16) ; none | int ; '1.5' | float ; 'x' | float ; 3 | float ; t | int
n | string ; none | string ; xs | string ; d | string ; nested | string ; ('a', 1) | string ; (1,) | string ; () | string ; 'it\'s' | list | string ; ['a\nb', "q'", 'd"', '\t\\', '\x01', 'é'] | string ; [1.0, true, none, 1e20] | string ; {'a': {'b': [1]}} | string ; [missing] | string
s | replace('l', 'L') ; s | replace('l', 'L', 1) ; s | wordcount ; '<a href="x">\'&' | e ; '<b>' | escape ; '<b>' | safe ; 'a\nb\n\nc' | indent ; 'a\nb' | indent(2, true) ; 'a\n\nb' | indent(2, blank=true) ; 'a\nb' | indent('> ') ; "%s-%s" | format(1, 'x') ; '%(a)s!' | format(a=2)
d | items | list ; missing | items | list ; xs | items ; d | dictsort ; d | dictsort(reverse=true) ; {'b': 1, 'a': 2} | dictsort(by='value') ; s | zzz ; d | attr('items') is callable ; d | attr('a')
d | tojson ; xs | tojson ; 'é<&>"\\\n\t\x01' | tojson ; none | tojson ; true | tojson ; 1.0 | tojson ; 1e100 | tojson ; missing | tojson ; nested | tojson(indent=2) ; {} | tojson(indent=2) ; [] | tojson(indent=2) ; d | tojson(sort_keys=true) ; d | tojson(separators=(',', ':')) ; 'é😀' | tojson(ensure_ascii=true) ; {1: 2, none: 3, 'x': true} | tojson ; {'k': []} | tojson(indent=4) ; (1, 2) | tojson ; d | tojson(indent='\t')
n is number ; f is number ; t is number ; s is number ; n is integer ; t is integer ; f is integer ; f is float ; n is float ; t is boolean ; n is boolean ; s is string ; xs is string ; xs is sequence ; d is sequence ; s is sequence ; n is sequence ; d is mapping ; xs is mapping ; xs is iterable ; s is iterable ; n is iterable ; missing is iterable
missing is defined ; n is defined ; missing is undefined ; d.a is defined ; d.zzz is defined ; d.zzz is not defined ; no is none ; n is none ; no is not none ; t is true ; n is true ; t is false ; false is false ; t is sameas true ; n is sameas 5 ; xs is sameas xs ; [1] is sameas [1] ; n is eq 5 ; n is equalto(5) ; n is ne 4 ; n is lt 6 ; n is gt(6) ; n is le 5 ; n is ge 6 ; n is even ; n is odd ; n is divisibleby 5 ; n is divisibleby(3) ; 'a' is in 'abc' ; n is in xs
'ABC' is upper ; 'abc' is lower ; 'aBc' is lower ; s.upper is callable ; range is callable ; n is callable ; n is zzz ; not n is defined ; n is not even ; n is defined and s is defined
range(3) | list ; range(1, 3) | list ; range(5, 0, -2) | list ; range(0) | list ; range(1, 2, 0) | list ; range(1000000) | list ; dict(a=1, b=2) ; dict([('x', 1)]) ; namespace(a=1).a ; namespace().zzz is defined ; namespace({'q': 3}).q ; raise_exception('boom') ; n() ; missing()
[] ; [1, 2,] ; {} ; {'a': 1,} ; () ; (1) ; (1,) ; [1, [2, [3]]] ; {'a': [1, {'b': 2}]} ; 1, 2 ; [x for x in xs] ; {'a': 1}.a ; [1,2,3][1] ; 'abc'[1] ; ('a', 'b')[0] ; "a\"b" ; 'tab\there' ; '\u00e9\x41\101' ; '\d\q' ; 'line\
cont'
messages[0].role ~ messages[-1]['content'] ; messages | length ; messages[1:] | map(attribute='content') | join ; (messages | selectattr('role', 'equalto', 'system') | list)[0].content ; messages | map(attribute='role') | unique | join(',') ; loop ; n.__class__ ; ''.__class__.__mro__ ; 5.5.foo
a.b = 1 ; 1 + ; ( ; [1 ; {'a' 1} ; 'abc ; 1 2 ; | upper ; n | ; n is ; n.. ; @ ; n if ; not ; f(1 2) ; f(a=1, 2)
""".strip()

STATEMENTS = [
    "{% if n %}a{% endif %}", "{% if e %}a{% else %}b{% endif %}", "{% if e %}a{% elif n %}b{% else %}c{% endif %}", "{% if missing %}a{% endif %}",
    "{% for x in xs %}{{ x }},{% endfor %}", "{% for x in empty %}a{% else %}none{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}", "{% for x in missing %}a{% endfor %}", "{% for x in n %}a{% endfor %}",
    "{% for x in none %}a{% endfor %}", "{% for x in d %}{{ x }}{% endfor %}", "{% for c in s %}{{ c }}.{% endfor %}", "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for x in xs %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}",
    "{% for x in xs %}{{ loop(x) }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% break %}", "{% for x in range(5) %}{% for y in range(5) %}{% if y > x %}{% break %}{% endif %}{{ y }}{% endfor %};{% endfor %}",
    "{% set x = 1 %}{{ x }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set x = 1, 2 %}{{ x }}", "{% set x %}a{{ n }}{% endset %}{{ x | upper }}", "{% set x | upper %}abc{% endset %}{{ x }}",
    "{% set x = 0 %}{% for i in xs %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set ns = namespace(x=0) %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.b }}{{ ns.c }}", "{% set d.a = 2 %}", "{% set zzz.a = 2 %}", "{% if n %}{% set y = 1 %}{% endif %}{{ y }}",
    "{% for i in xs %}{% if loop.first %}{% set y = 1 %}{% endif %}[{{ y }}]{% endfor %}", "{% set n = n + 1 %}{{ n }}", "{% set ns = namespace(_a=1) %}", "{% set n.a.b = 1 %}",
    "{% macro m(a, b=2, c='x') %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c='y') }}{{ m(b=3, a=0) }}{{ m() }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(4) }}", "{% macro m() %}{{ n }}{{ later }}{% endmacro %}{% set later = 9 %}{{ m() }}",
    "{% macro f(k) %}{% if k > 1 %}{{ k * f(k - 1) | int }}{% else %}1{% endif %}{% endmacro %}{{ f(5) }}", "{% macro m() %}a{% endmacro %}{{ m() ~ m() | upper }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}", "{% macro m(x) %}{{ caller(x, 2) }}{% endmacro %}{% call(a, b) m('q') %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m() %}{% set zz = 1 %}{{ zz }}{% endmacro %}{{ m() }}{{ zz }}", "{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% call n() %}{% endcall %}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% filter upper %}a{{ n }}b{% endfilter %}", "{% filter replace('a', 'b') | upper %}aaa{% endfilter %}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}",
    "{% with n = 1, k = n %}{{ k }}{% endwith %}{{ n }}", "{% raw %}{{ x }} {% if %}{% endraw %}", "a {%- raw -%}  {{ x }}  {%- endraw -%} b", "{% raw %}\n x\n {% endraw %}\ny",
    "{# comment #}a", "a {#- c -#} b", "a\n{# c #}\nb", "a\n  {# c #}\nb", "{# unclosed", "{{ '{{' }}{{ '}}' }}{{ '%}' }}", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': {}} }}",
    "a\n{% if n %}\nb\n{% endif %}\nc\n", "a\n  {% if n %}\n  b\n  {% endif %}\nc", "a\n  {%+ if n %}b{% endif %}", "a {% if n +%}\nb{% endif %}", "a\n {{ n }}\n b", "  {% if n %}x{% endif %}  {% if n %}y{% endif %}\nz",
    "a\n\n{%- if n -%}\n\n b \n\n{%- endif %}\n c", "{{- n -}} \n x", "x \n {{- n }}", "{%- for x in xs %}\n  {{ x }}\n{%- endfor %}\n", "{% for x in xs -%}\n {{ x }}\n{% endfor -%}\n\n z", "a\r\nb\rc\n", "x\n\n", "\n\nx", "{%set a=1%}{{a}}",
    "{{n}}", "{{ n }}\n", "{{-3}}", "{{ -3 }}", "{{+3}}", "{%- if n%}a{%endif-%} b", "\t{% if n %}a{% endif %}", "a \t{%- if n %}b{% endif %}", "{{ n -}}\n\n{{ n }}", "a{% if n %}\n\nb{% endif %}", "a\u00a0\n\u00a0{%- if n %}b{% endif %}",
    "{% generation %}a{% endgeneration %}b", "{%- generation -%} a {{ n }} {%- endgeneration -%} b", "{% generation %}{% set q = 1 %}{{ q }}{% endgeneration %}{{ q }}",
    "{% if %}{% endif %}", "{% if n %}", "{% endif %}", "{% for x %}{% endfor %}", "{% for in xs %}{% endfor %}", "{% zzz %}", "{% %}", "{{ }}", "{{ n", "{% if n", "{% set %}", "{% set x = %}", "{% macro %}{% endmacro %}", "{% if n %}{% endfor %}", "{% else %}",
    "{{ n }", "}}", "%}", "{ {n} }", "{", "{{ 'a' }}{", "#}", "{{ s }}{{ missing }}{{ no }}", "{{ missing.x }}", "{{ d.zzz.x }}",
    "{% set x = [] %}{% for i in xs %}{% set x = x + [i * 2] %}{% endfor %}{{ x }}", "{% set g = xs | map('string') %}{{ g | join }}{{ g | join }}|", "{{ xs | map('string') | list | join }}",
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<u>' + m['content'] | trim + '</u>' }}{% elif m.role == 'assistant' %}{{ m.content }}{% endif %}{% endfor %}",
    "{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content'] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n{{- system_message }}\n{%- for m in loop_messages %}\n    {{- '\\n' ~ m.content }}\n{%- endfor %}\n",
    "{% if messages is defined and messages[0].get('name') is none %}x{% endif %}", "{{ messages[0] | tojson }}", "{{ 'a' is in ['a'] }}", "{{ (n, s) }}", "{% for a in (1, 2) %}{{ a }}{% endfor %}", "{% for a in 1, 2 %}{{ a }}{% endfor %}",
    "{% if n == 5 and not e or missing %}ok{% endif %}", "{% if not (n is defined) %}a{% else %}b{% endif %}", "{% if 'x' not in s and n in [5] %}ok{% endif %}", "{{ 'a' if n > 3 else 'b' ~ 'c' }}", "{{ n if n is odd }}", "{{ '' if e is string else none }}",
    "{% macro tree(x) %}{% if x is mapping %}{ {%- for k, v in x.items() %}{{ k }}:{{ tree(v) }}{{ ',' if not loop.last }}{% endfor %} }{% elif x is iterable and x is not string %}[{% for i in x %}{{ tree(i) }}{% endfor %}]{% else %}{{ x }}{% endif %}{% endmacro %}{{ tree({'a': [1, {'b': 2}], 'c': 'x'}) }}",
    "{% macro loopy() %}{{ loopy() }}{% endmacro %}{{ loopy() }}", "{{ strftime_now('%%') }}", "{% set x = 5 %}{% macro m() %}{{ x }}{% endmacro %}{% set x = 6 %}{{ m() }}", "{{ namespace(a=[1]).a[0] }}",
]


def main():
    cases = []
    sources = ["{{ %s }}" % e.strip() for line in EXPRESSIONS.replace("\\\n", "\\\x00").split("\n") for e in line.replace("\x00", "\n").split(" ; ")]
    for source in sources + STATEMENTS:
        case = {"source": source}
        try:
            case["expected"] = _compile_jinja_template(source).render(**VARIABLES)
        except RecursionError:
            case["error"] = "RecursionError"
        except Exception as e:
            case["error"] = "%s: %s" % (type(e).__name__, e)
        # Python prints addresses of functions and generators.
        if " at 0x" not in case.get("expected", ""):
            cases.append(case)
    out = {"versions": {"transformers": transformers.__version__, "jinja2": jinja2.__version__}, "variables": VARIABLES, "cases": cases}
    path = pathlib.Path(__file__).with_name("snippets.json")
    path.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(len(cases), "cases,", sum("error" in c for c in cases), "errors")


if __name__ == "__main__":
    main()
