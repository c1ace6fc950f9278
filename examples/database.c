/* SPDX-License-Identifier: MIT */
/* database.c: a small bank in a file.  A teller moves money and writes each move down, in one transaction, until it is
 * killed; then another one goes on.  No cent and no note is lost, whenever that is. */
#include <acre.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ACCOUNTS = 8, MONEY = 1000, KILLS = 20 };

/* Words that transactions change: numbers as well as offsets. */
struct bank {
    acre_off balance[ACCOUNTS];
    acre_off moves; /* how many notes there should be */
    acre_off note;  /* the last one */
};

struct note {
    acre_off before;
    unsigned from, to, amount;
};

static int bank_init(acre_segment *s, void *element, size_t i, void *arg)
{
    (void)s, (void)i, (void)arg;
    for (int a = 0; a < ACCOUNTS; a++)
        ((struct bank *)element)->balance[a] = MONEY;
    return 0;
}

static const acre_type bank_type = ACRE_TYPE_INIT(struct bank, bank_init, NULL);

static struct bank *bank_open(const char *path, acre_segment **s)
{
    void *b = NULL;
    acre_segment_options o = {.size = 1 << 20, .capacity = 1 << 30, .grow_step = 1 << 20};
    int e = acre_segment_open_or_create(s, ACRE_FILE, path, &o, NULL);
    if (!e)
        e = acre_find_or_construct(*s, &bank_type, "bank", 1, NULL, &b, NULL);
    if (e)
        fprintf(stderr, "%s: %s\n", path, acre_strerror(e));
    return b;
}

/* Everything is planned, then it happens, or it does not. */
static int move(acre_segment *s, struct bank *b, unsigned from, unsigned to, unsigned amount)
{
    acre_tx tx;
    struct note *n;
    int e = acre_tx_begin(&tx, s);
    if (e)
        return e;
    e = acre_tx_alloc(&tx, &b->note, sizeof *n, (void **)&n);
    if (!e) {
        *n = (struct note){b->note, from, to, amount};
        e = acre_tx_set(&tx, &b->balance[from], b->balance[from] - amount);
    }
    if (!e)
        e = acre_tx_set(&tx, &b->balance[to], b->balance[to] + amount);
    if (!e)
        e = acre_tx_set(&tx, &b->moves, b->moves + 1);
    if (!e)
        return acre_tx_commit(&tx);
    acre_tx_abort(&tx);
    return e;
}

static void teller(const char *path, unsigned seed)
{
    acre_segment *s;
    struct bank *b = bank_open(path, &s);
    while (b) {
        unsigned from = (unsigned)rand_r(&seed) % ACCOUNTS, to = (from + 1) % ACCOUNTS;
        unsigned amount =
            b->balance[from] ? (unsigned)rand_r(&seed) % (unsigned)b->balance[from] : 0;
        if (move(s, b, from, to, amount) != 0)
            break;
    }
    _exit(1);
}

/* The balances are what the notes say, and all the money is there. */
static bool audit(acre_segment *s, const struct bank *b)
{
    long long balance[ACCOUNTS], sum = 0;
    size_t notes = 0;
    for (int a = 0; a < ACCOUNTS; a++)
        balance[a] = MONEY;
    for (const struct note *n = acre_segment_address(s, b->note); n; notes++) {
        balance[n->from] -= n->amount;
        balance[n->to] += n->amount;
        n = acre_segment_address(s, n->before);
    }
    bool right = notes == b->moves;
    for (int a = 0; a < ACCOUNTS; a++) {
        right &= balance[a] == (long long)b->balance[a];
        sum += balance[a];
    }
    return right && sum == ACCOUNTS * MONEY && acre_heap_check(acre_segment_heap(s), NULL) == 0;
}

/* What the dead one had begun is finished or undone by whoever begins the next transaction. */
static bool survives(const char *path)
{
    acre_segment *s;
    struct bank *b = bank_open(path, &s);
    if (!b)
        return false;
    int e = move(s, b, 0, 0, 0);
    if (e)
        fprintf(stderr, "%s: no move: %s\n", path, acre_strerror(e));
    bool right = !e && audit(s, b);
    acre_segment_close(s);
    return right;
}

static void kill_one(const char *path, unsigned seed)
{
    pid_t child = fork();
    if (child == 0)
        teller(path, seed);
    nanosleep(&(struct timespec){.tv_nsec = 3000000 + seed * 100000}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(void)
{
    char path[64];
    int kills = 0;
    snprintf(path, sizeof path, "%s/acre-bank-%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
             (int)getpid());
    bool right = survives(path);
    for (; right && kills < KILLS; kills++) {
        kill_one(path, (unsigned)kills);
        right = survives(path);
    }
    acre_segment *s;
    struct bank *b = bank_open(path, &s);
    printf("%d tellers killed, %llu moves written down, %s\n", kills,
           b ? (unsigned long long)b->moves : 0,
           right ? "every account right" : "the books are WRONG");
    if (b)
        acre_segment_close(s);
    acre_segment_remove(ACRE_FILE, path);
    return !right;
}
