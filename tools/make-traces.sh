#!/bin/bash
# SPDX-License-Identifier: MIT
# make-traces.sh [NAME...]: record the bundled traces, all or some, into traces/NAME.acr, and those that
# nothing is tuned on into traces/held-out/NAME.acr.
#
# Each function record_NAME makes its input (always the same: fixed seeds, no date, no network) in
# the current directory, an empty one, and runs the program through `rec`.  The archive with the
# most operations of the program asked for is kept.  Afterwards the tables in traces/README.md are
# written from what the archives say.
set -eu -o pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
acre=${ACRE:-$top/build/acre}
work=$top/build/make-traces
programs="cc1 sqlite3 python3 git xmllint jq perl gawk lua redis gnuplot vim bash groff ripgrep"
held_out="bc cmake gdb php rsvg tidy"
packages="gcc sqlite3 python3 git libxml2-utils jq perl gawk lua5.4 redis-server redis-tools
gnuplot-nox vim-tiny bash groff-base ripgrep bc cmake gdb php8.2-cli librsvg2-bin fonts-dejavu-core tidy"

export LC_ALL=C.UTF-8 TZ=UTC0 HOME=$work
unset LD_PRELOAD

# rec PROGRAM COMMAND...: record COMMAND; the archives of PROGRAM are candidates.
rec() {
    program=$1
    shift
    "$acre" trace record -o out --tick 100k --level 19 --min-ops 1000 -- "$@" >/dev/null
}

# gen SEED PROGRAM: run an awk program with a generator of its own, the same on every machine.
gen() {
    local seed=$1
    shift
    gawk -v seed="$seed" 'function rnd(n) { seed = (seed * 16807) % 2147483647; return seed % n }
        function word(   w, k) { w = ""; for (k = 2 + rnd(7); k > 0; k--) w = w sprintf("%c", 97 + rnd(26)); return w }
        '"$*"
}

record_cc1() { # compile 70 functions with structs, loops and switches
    gen 1 'BEGIN { print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>";
        for (i = 0; i < 70; i++) {
            printf "struct s%d { int a, b[%d]; double c; struct s%d *next; };\n", i, 1 + rnd(30), (i ? rnd(i) : 0);
            printf "int f%d(struct s%d *p, int x)\n{\n    int sum = 0;\n    for (int i = 0; i < x; i++) {\n", i, i;
            for (j = 3 + rnd(8); j > 0; j--)
                printf "        if (p->a > %d) sum += p->b[i %% %d] * %d; else sum ^= (int)sqrt(p->c + %d);\n", rnd(100), 1 + rnd(1), rnd(99), j;
            print "        switch (sum & 7) {";
            for (j = 0; j < 6; j++) printf "        case %d: sum += %s; break;\n", j, (i && rnd(2)) ? "f" rnd(i) "((void *)p->next, i)" : "x * " rnd(1000);
            print "        }\n    }\n    return sum;\n}";
        } }' > input.c
    gcc -E -P input.c -o input.i
    rec cc1 "$(gcc -print-prog-name=cc1)" -fpreprocessed -quiet -O2 input.i -o output.s
}

record_sqlite3() { # a shop: bulk insert, indexes, joins, updates, deletes
    cat > input.sql <<'SQL'
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, city TEXT);
CREATE TABLE sale(id INTEGER PRIMARY KEY, customer INT, item TEXT, price REAL, note TEXT);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 6000)
  INSERT INTO customer SELECT i, 'name ' || (i * 7919 % 10007), substr('BerlinParisLondonMadridRome', i % 20 + 1, 7) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 40000)
  INSERT INTO sale SELECT i, i * 31 % 6000 + 1, 'item ' || (i * 104729 % 997), i % 500 / 3.0, printf('%*s', i % 90, 'x') FROM n;
COMMIT;
CREATE INDEX sale_customer ON sale(customer);
CREATE INDEX sale_item ON sale(item, price);
SELECT city, count(*), group_concat(DISTINCT substr(item, 6, 1)) FROM customer c JOIN sale s ON s.customer = c.id GROUP BY city ORDER BY 2 DESC;
UPDATE sale SET note = note || item WHERE id % 3 = 0;
DELETE FROM sale WHERE id % 5 = 0;
SELECT json_group_array(json_object('id', id, 'item', item)) FROM sale WHERE id < 9000;
SELECT upper(note), replace(item, '1', 'one'), instr(note, 'item') FROM sale ORDER BY note LIMIT 20000;
VACUUM;
SQL
    gen 2 'BEGIN { for (i = 0; i < 5000; i++)
        printf "SELECT s.item, c.name FROM sale s JOIN customer c ON c.id = s.customer WHERE s.customer = %d ORDER BY s.price;\n", 1 + rnd(6000) }' >> input.sql
    rec sqlite3 sqlite3 -init /dev/null :memory: ".output /dev/null" ".read input.sql"
}

record_python3() { # JSON, classes, regular expressions, sorting; objects through malloc
    cat > input.py <<'PY'
import collections, json, random, re
random.seed(3)
class Node:
    def __init__(self, key, left=None, right=None):
        self.key, self.left, self.right = key, left, right
def insert(node, key):
    if node is None:
        return Node(key)
    if key < node.key:
        node.left = insert(node.left, key)
    else:
        node.right = insert(node.right, key)
    return node
tree = None
for i in range(6000):
    tree = insert(tree, random.random())
text = json.dumps([{"id": i, "name": "n%d" % i, "tags": [str(j) for j in range(i % 7)], "x": i / 7} for i in range(6000)])
data = json.loads(text)
words = re.findall(r"[a-z]+\d*", text)
count = collections.Counter(words)
names = sorted(data, key=lambda d: d["name"][::-1])
lines = ["%s=%s" % (k, v) for k, v in count.items()]
matrix = [[random.gauss(0, 1) for _ in range(60)] for _ in range(60)]
product = [[sum(a * b for a, b in zip(row, column)) for column in zip(*matrix)] for row in matrix]
print(len(words), len(lines), len(names), sum(map(len, product)))
PY
    PYTHONMALLOC=malloc PYTHONHASHSEED=0 rec python3.11 /usr/bin/python3 -S input.py
}

record_git() { # the log with patches of a history of 250 commits
    export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"
    git init -q -b main repo
    gen 4 'function lines(n,   s) { s = ""; for (; n > 0; n--) s = s word() " " word() " " word() "\n"; return s }
        BEGIN { for (c = 1; c <= 250; c++) {
            printf "commit refs/heads/main\ncommitter A U Thor <a@example.org> %d +0000\ndata 8\nchange %d\n", 1600000000 + c * 60, c % 10;
            for (f = 0; f < 6; f++) { s = lines(120); printf "M 100644 inline dir%d/file%d.txt\ndata %d\n%s\n", rnd(9), rnd(30), length(s), s }
        } }' | git -C repo fast-import --quiet
    rec git git -C repo --no-pager log -p --stat -M -C --find-copies-harder --word-diff --output=/dev/null
}

record_xmllint() { # parse, validate entities, XPath and write again
    gen 5 'BEGIN { print "<?xml version=\"1.0\"?>\n<library>"; for (i = 0; i < 16000; i++)
        printf "<book id=\"b%d\" lang=\"%s\"><title>%s %s</title><author born=\"%d\">%s</author><price>%d.%02d</price><!-- %s --></book>\n",
            i, word(), word(), word(), 1800 + rnd(200), word(), rnd(90), rnd(100), word(); print "</library>" }' > input.xml
    rec xmllint xmllint --format --c14n --xpath 'count(//book[price > 40]/author[@born < 1900])' input.xml
}

record_jq() { # group, map and sort 9,000 objects
    gen 6 'BEGIN { print "["; for (i = 0; i < 9000; i++)
        printf "%s{\"id\":%d,\"user\":\"%s\",\"tags\":[\"%s\",\"%s\"],\"score\":%d.5}\n", i ? "," : "", i, word(), word(), word(), rnd(1000); print "]" }' > input.json
    rec jq jq 'map(.total = (.tags | map(length) | add) | .user |= ascii_upcase) | group_by(.score % 50 | floor) | map({key: (.[0].score | tostring), value: map(.user) | unique}) | from_entries | to_entries | sort_by(.value | length)' input.json
}

record_perl() { # word counts, hashes of arrays, string building, sorting
    cat > input.pl <<'PL'
use strict; use warnings;
my ($seed, %count, %by, @all) = (7);
sub rnd { $seed = ($seed * 16807) % 2147483647; return $seed % $_[0] }
for my $i (1 .. 40000) {
    my $w = join '', map { chr(97 + rnd(26)) } 1 .. 2 + rnd(2);
    $count{$w}++;
    push @{$by{substr $w, 0, 2}}, { word => $w, line => $i, tail => "x" x rnd(60) };
}
for my $k (sort keys %by) {
    my @s = sort { $a->{word} cmp $b->{word} || $b->{line} <=> $a->{line} } @{$by{$k}};
    push @all, join ',', map { "$_->{word}:$_->{line}" } @s;
    delete $by{$k} if rnd(3) == 0;
}
s/([a-z]+):(\d+)/$2-$1/g for @all;
for my $round (1 .. 4) {
    my @fields = map { [split /[-,]/] } @all;
    my %seen = map { $_->[0] => scalar @$_ } @fields;
    @all = map { join ',', reverse @$_ } @fields;
}
print scalar(keys %count), ' ', length(join "\n", @all), "\n";
PL
    PERL_HASH_SEED=0 PERL_PERTURB_KEYS=0 rec perl /usr/bin/perl input.pl
}

record_gawk() { # a log: fields, associative arrays, substitutions, sorting
    gen 8 'BEGIN { for (i = 0; i < 28000; i++) printf "10.0.%d.%d - %s [%d] \"GET /%s/%s HTTP/1.1\" %d %d\n", rnd(256), rnd(256), word(), i, word(), word(), 200 + rnd(3) * 100, rnd(100000) }' > input.log
    rec gawk gawk '{ hits[$1]++; bytes[$1, $8] += $NF; split($6, p, "/"); path[p[2]] = path[p[2]] "," NR; u = toupper($3); gsub(/[AEIOU]/, "_", u); user[u] = user[u] substr($0, 1, 20) }
        END { n = asorti(path, order); for (i = 1; i <= n; i++) { s = s substr(path[order[i]], 1, 9); delete path[order[i]] } print n, length(s), length(hits), length(bytes), length(user) }' input.log
}

record_lua() { # tables, closures, strings, a binary tree, garbage collection
    cat > input.lua <<'LUA'
local seed = 9
local function rnd(n) seed = seed * 16807 % 2147483647; return seed % n end
local function tree(d) if d == 0 then return {} end return {tree(d - 1), tree(d - 1)} end
local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end
local long = tree(13)
local n = 0
for d = 4, 13 do for _ = 1, 1 << (13 - d) do n = n + count(tree(d)) end end
local words, lines = {}, {}
for i = 1, 60000 do
  local w = string.char(97 + rnd(26), 97 + rnd(26), 97 + rnd(26)) .. rnd(1000)
  words[w] = (words[w] or 0) + 1
  lines[rnd(5000) + 1] = {word = w, next = function() return i + n end}
end
local parts = {}
for w, c in pairs(words) do parts[#parts + 1] = w .. "=" .. c end
table.sort(parts)
print(n, #parts, #table.concat(parts, ","), count(long))
LUA
    rec lua5.4 lua5.4 input.lua
}

record_redis() { # a server under redis-benchmark, on the loopback only
    local port=47391
    program=$(basename "$(readlink -f /usr/bin/redis-server)")
    "$acre" trace record -o out --tick 100k --level 19 --min-ops 1000 -- /usr/bin/redis-server --port $port \
        --bind 127.0.0.1 --save "" --appendonly no >/dev/null 2>&1 &
    local recorder=$!
    for _ in $(seq 100); do redis-cli -p $port ping >/dev/null 2>&1 && break; sleep 0.1; done
    redis-benchmark -q -p $port -c 8 -n 12000 -r 20000 -d 100 -t set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100 >/dev/null
    redis-cli -p $port shutdown nosave || true
    wait $recorder
}

record_gnuplot() { # functions, a surface, a histogram, written as SVG
    gen 10 'BEGIN { for (i = 0; i < 60000; i++) print i / 100, rnd(1000) / 10, rnd(50), rnd(7) }' > input.dat
    cat > input.gp <<'GP'
set terminal svg size 900,600
set output "a.svg"
set samples 5000
f(x) = sin(x) * exp(-x / 20) + 0.1 * cos(9 * x)
plot for [k=1:12] f(x + k) title sprintf("k = %d", k), "input.dat" using 1:2 with dots, "input.dat" using 1:2 smooth bezier
set output "b.svg"
set dgrid3d 40,40 qnorm 2
splot "input.dat" every 20 using 1:2:3 with lines, sin(x) * cos(y) with lines
unset dgrid3d
set output "c.svg"
set boxwidth 0.5
plot "input.dat" using (int($3)):(1) smooth frequency with boxes, "" using 1:(strlen(sprintf("%d %s", $4, "x"))) with points
stats "input.dat" using 2:3 nooutput
do for [i=1:4000] { s = sprintf("%d:%s", i, strftime("%Y-%m-%d", i * 86400)); array A[20]; A[1 + i % 20] = s . substr(s, 2, 5) }
GP
    rec "$(basename "$(readlink -f "$(command -v gnuplot)")")" gnuplot input.gp
}

record_vim() { # an editor: substitutions, global commands, undo, sort, macros
    gen 11 'BEGIN { for (i = 0; i < 12000; i++) printf "%s = %s(%s, %d); /* %s %s */\n", word(), word(), word(), rnd(1000), word(), word() }' > input.txt
    cat > input.vim <<'VIM'
edit input.txt
%s/\([a-z]\+\)(\([a-z]\+\), \([0-9]\+\))/\2->\1[\3]/
silent! g/aa/normal Afound
silent! g/[0-9]7\]/move 0
sort
silent! undo
silent! redo
%s/= \(.*\);/\=printf("<- %s;", toupper(submatch(1)))/
silent! g/zz/delete
let lines = map(getline(1, '$'), {i, v -> i . ': ' . substitute(v, '[aeiou]', '', 'g')})
call setline(1, lines)
write! output.txt
quit!
VIM
    rec "$(basename "$(readlink -f "$(command -v vim.tiny)")")" vim.tiny -u NONE -N -n -e -s -S input.vim
}

record_bash() { # a long script: functions, arrays, expansions, no other program
    cat > input.sh <<'SH'
seed=12
rnd() { seed=$((seed * 16807 % 2147483647)); REPLY=$((seed % $1)); }
declare -A count
lines=()
for ((i = 0; i < 850; i++)); do
    w=
    for ((j = 0; j < 3; j++)); do rnd 26; printf -v c '\\x%x' $((97 + REPLY)); printf -v w '%s%b' "$w" "$c"; done
    count[$w]=$((${count[$w]:-0} + 1))
    lines+=("${w^^}:${w//a/b}:$i")
done
text=
for l in "${lines[@]}"; do IFS=: read -r a b n <<< "$l"; [[ $a =~ ^[A-M] ]] && text+=" $b${n%?}"; done
echo ${#count[@]} ${#text}
SH
    rec bash bash --norc input.sh
}

record_groff() { # C++: a long manual page, with tables of contents, tabs and fonts
    gen 13 'BEGIN { print ".TH TEST 7"; for (s = 0; s < 60; s++) { printf ".SH \"%s %s\"\n", toupper(word()), toupper(word());
        for (p = 0; p < 9; p++) { printf ".TP\n.BI \\-%s \" %s\"\n", word(), word(); for (k = 0; k < 40; k++) printf "%s \\fI%s\\fP %s%s\n", word(), word(), word(), rnd(5) ? "" : "."; print ".PP" } } }' > input.7
    rec troff groff -man -Tutf8 -P-c input.7
}

record_ripgrep() { # two threads: search a generated tree
    mkdir tree
    gen 14 'BEGIN { for (f = 0; f < 5000; f++) { name = sprintf("tree/d%d_%s.txt", f, word()); for (l = 0; l < 60; l++) print word(), word(), word() > name; close(name) } }'
    rec rg rg -j2 --no-ignore -n -o -r '$2 $1' '([a-m]\w+) ([n-z]\w+)' tree
}

# ---- Held out: nothing is tuned on these ---------------------------------------------------------

record_bc() { # long numbers: series, sines and logarithms, primes, remainders
    cat > input.bc <<'BC'
scale = 60
define f(n) { if (n < 2) return (1); return (n * f(n - 1)); }
define p(n) { auto i; for (i = 2; i * i <= n; i++) if (n % i == 0) return (0); return (1); }
for (i = 1; i < 120; i++) x = x + 1 / f(i)
x
for (i = 0; i < 30; i++) y += s(i / 7) * e(i / 9) + l(i + 1) / a(i + 1)
y
scale = 0
for (i = 3; i < 2000; i += 2) if (p(i)) { n += 1; q[n] = i; }
for (i = 1; i < n; i++) r = (r * q[i]) % (10 ^ 80 + q[i])
n; r
BC
    rec bc bc -l -q input.bc
}

record_cmake() { # C++: a script of lists, regular expressions, recursion, JSON
    gen 16 'BEGIN { print "cmake_minimum_required(VERSION 3.16)";
        for (i = 0; i < 400; i++) {
            printf "set(v%d \"%s;%s;%s\")\nlist(APPEND all_%d ${v%d} %s)\n", i, word(), word(), word(), i % 20, i, word();
            printf "string(REGEX REPLACE \"([a-m]+)\" \"<\\\\1>\" r%d \"${all_%d}\")\n", i, i % 20;
            printf "string(JSON j%d SET \"{\\\"a\\\": [1, 2]}\" \"%s\" \"[\\\"%s\\\", {\\\"%s\\\": %d}]\")\n", i, word(), word(), word(), rnd(1000) }
        print "function(walk n)\n  if(n GREATER 0)\n    math(EXPR m \"${n} - 1\")\n    foreach(x ${all_1})";
        print "      string(TOUPPER ${x} y)\n      string(LENGTH \"${y}${r7}\" z)\n    endforeach()\n    walk(${m})\n  endif()\nendfunction()";
        print "walk(40)\nlist(SORT all_3)\nlist(REMOVE_DUPLICATES all_4)\nmessage(STATUS \"${all_3};${j399}\")" }' > input.cmake
    rec cmake cmake -P input.cmake
}

record_gdb() { # C++: a debugger reads a program of 800 functions: types, listings, code, breakpoints
    gen 20 'BEGIN { print "#include <stdio.h>";
        for (i = 0; i < 400; i++) {
            printf "struct s%d { int a, b[%d]; double c; struct s%d *next; union { long l; char t[%d]; } u; };\n", i, 1 + rnd(30), (i ? rnd(i) : 0), 1 + rnd(20);
            printf "typedef struct s%d t_%s_%d;\n", i, word(), i;
            printf "static int f%d(struct s%d *p, int x)\n{\n    int sum = 0;\n    for (int i = 0; i < x; i++)\n        sum += p->b[0] + %d;\n    return sum;\n}\n", i, i, rnd(99);
            printf "int g%d(void)\n{\n    struct s%d v = {0};\n    return f%d(&v, %d);\n}\n", i, i, i, rnd(9) }
        printf "int main(void)\n{\n    return 0"; for (i = 0; i < 400; i++) printf " + g%d()", i; print ";\n}" }' > input.c
    gcc -g -O0 input.c -o program
    gen 21 'BEGIN { print "set pagination off\nset confirm off\ninfo types .\ninfo functions ."; for (i = 0; i < 400; i += 2)
        printf "ptype struct s%d\ninfo scope g%d\ndisassemble /s f%d\nlist f%d\nbreak g%d\n", i, i, i, i, i; print "info breakpoints" }' > input.gdb
    rec gdb gdb -nx -q -batch -x input.gdb ./program
}

record_php() { # objects, arrays, closures, sorting, JSON, serialising; through malloc
    cat > input.php <<'PHP'
<?php
$seed = 18;
function rnd($n) { global $seed; $seed = $seed * 16807 % 2147483647; return $seed % $n; }
class Order {
    public $id, $customer, $lines = [];
    function __construct($id, $customer) { $this->id = $id; $this->customer = $customer; }
    function total() { return array_sum(array_map(fn($l) => $l['price'] * $l['n'], $this->lines)); }
}
$orders = $by = $words = [];
for ($i = 0; $i < 4000; $i++) {
    $o = new Order($i, "customer " . rnd(500));
    for ($k = 1 + rnd(6); $k > 0; $k--)
        $o->lines[] = ['item' => "item " . rnd(300), 'price' => rnd(10000) / 100, 'n' => 1 + rnd(9)];
    $orders[] = $o;
}
foreach ($orders as $o) $by[$o->customer][] = $o;
ksort($by);
$html = '';
foreach ($by as $name => $list) {
    usort($list, fn($a, $b) => $b->total() <=> $a->total());
    foreach ($list as $o)
        $html .= sprintf("<tr><td>%s</td><td>%d</td><td>%.2f</td></tr>\n", htmlspecialchars(strtoupper($name)), $o->id, $o->total());
}
$cells = array_map(fn($r) => explode('</td><td>', strip_tags($r, '<td>')), preg_split('/\n/', $html));
$back = json_decode(json_encode(array_slice($orders, 0, 2500)), true);
for ($i = 0; $i < 3000; $i++) {
    $s = serialize($back[rnd(2500)]);
    $words[] = str_replace('item', 'thing', $s) . count(unserialize($s)['lines']);
}
function turned($rows) { foreach ($rows as $r) yield array_reverse($r); }
$n = 0;
foreach (turned($cells) as $c) $n += count($c);
printf("%d %d %d %d\n", count($by), strlen($html), strlen(implode(',', $words)), $n);
PHP
    USE_ZEND_ALLOC=0 rec php8.2 /usr/bin/php8.2 -n input.php
}

record_rsvg() { # Rust and C: 250 groups of paths, gradients, text and a few blurred circles become pixels
    gen 15 'BEGIN { print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"900\"><defs>";
        for (i = 0; i < 40; i++) printf "<linearGradient id=\"g%d\"><stop offset=\"0\" stop-color=\"#%06x\"/><stop offset=\"1\" stop-color=\"#%06x\"/></linearGradient>\n", i, rnd(16777216), rnd(16777216);
        print "<filter id=\"f\"><feGaussianBlur stdDeviation=\"3\"/></filter></defs>";
        for (i = 0; i < 250; i++) {
            printf "<g transform=\"rotate(%d %d %d)\" opacity=\"0.%d\"><path d=\"M%d %d", rnd(360), rnd(900), rnd(900), 1 + rnd(9), rnd(900), rnd(900);
            for (j = 4 + rnd(40); j > 0; j--) printf " c%d %d %d %d %d %d", rnd(90) - 45, rnd(90) - 45, rnd(90) - 45, rnd(90) - 45, rnd(90) - 45, rnd(90) - 45;
            printf "\" fill=\"url(#g%d)\" stroke=\"#%06x\"/><text x=\"%d\" y=\"%d\" font-size=\"%d\">%s %s</text>", rnd(40), rnd(16777216), rnd(900), rnd(900), 6 + rnd(20), word(), word();
            printf "%s</g>\n", i % 80 ? "" : sprintf("<circle cx=\"%d\" cy=\"%d\" r=\"%d\" filter=\"url(#f)\"/>", rnd(900), rnd(900), 5 + rnd(40)) }
        print "</svg>" }' > input.svg
    rec rsvg-convert rsvg-convert -o output.png input.svg
}

record_tidy() { # untidy HTML of 6,000 sections is parsed, mended and written
    gen 19 'BEGIN { print "<html><head><title>t</title></head><body>"; for (i = 0; i < 6000; i++) {
            printf "<div class=%s><p>%s <b>%s <i>%s</b> %s</i> &amp; <a href=\"/%s?a=%d&b=%d\">%s</a><ul><li>%s<li>%s</ul>", word(), word(), word(), word(), word(), word(), i, rnd(99), word(), word(), word();
            if (rnd(4)) print "</div>";
            if (rnd(9) == 0) printf "<table><tr><td>%s<td align=center>%s<tr><th>%s</table>\n", word(), word(), word() } }' > input.html
    rec tidy tidy -q -f /dev/null -o output.html input.html || [ $? -eq 1 ] # it warns
}

# ---- Keeping ------------------------------------------------------------------------------------

folder() { # of a trace, from the top
    case " $held_out " in
    *" $1 "*) echo traces/held-out ;;
    *) echo traces ;;
    esac
}

keep() { # the archive of the program with the most operations
    local best kept=$top/$(folder "$1")/$1.acr
    best=$("$acre" trace info --json "out/$program".*.acr | jq -rs 'max_by(.ops).file')
    mkdir -p "${kept%/*}"
    cp "$best" "$kept"
    "$acre" trace info --json "$kept" | jq -r '"\(.ops) operations, \(.bytes_per_op * 1000 | round / 1000) bytes/op"'
}

record() {
    local name=$1
    rm -rf "$work/$name"
    mkdir -p "$work/$name"
    printf '%-10s ' "$name"
    cd "$work/$name"
    "record_$name" > output.txt
    keep "$name"
    cd "$top"
    rm -rf "${work:?}/$name"
}

version() { # of the Debian package of a program, as the table shows it
    local file owner
    file=$(readlink -f "$1")
    owner=$(dpkg -S "$file" 2>/dev/null || dpkg -S "${file#/usr}" 2>/dev/null) || owner=unknown
    owner=${owner%%:*}
    dpkg-query -W -f '${Package} ${Version}' "$owner" 2>/dev/null || echo unknown
}

table() { # of the traces in a folder
    echo "| trace | program | command | operations | objects | peak live bytes | threads | bytes/op |"
    echo "|---|---|---|--:|--:|--:|--:|--:|"
    local file
    for file in "$top/$1"/*.acr; do
        "$acre" trace info --json "$file" | jq -r --arg v "$(version "$("$acre" trace info --json "$file" | jq -r .meta.exe)")" \
            '"| `\(.file | sub(".*/"; "") | sub(".acr$"; ""))` | \($v) | `\(.meta.command | gsub("\\|"; "\\|") | if length > 60 then .[:57] + "..." else . end)` | \(.ops) | \(.objects) | \(.peak_live) | \(.threads) | \(.bytes_per_op * 1000 | round / 1000) |"'
    done
}

write_tables() {
    local readme=$top/traces/README.md
    [ -f "$readme" ] || return 0
    table traces > "$work/table"
    table traces/held-out > "$work/table-held-out"
    gawk -v work="$work" '/^<!-- table(-held-out)? -->$/ { print; file = work "/" $2; while ((getline line < file) > 0) print line; skip = 1; next }
        /^<!-- end of table -->$/ { skip = 0 } !skip' "$readme" > "$work/readme"
    cat "$work/readme" > "$readme"
}

mkdir -p "$work"
echo "Debian packages needed:" $packages
[ -x "$top/tools/install-packages.sh" ] && "$top/tools/install-packages.sh" $packages
for name in ${*:-$programs $held_out}; do
    record "$name"
done
write_tables
