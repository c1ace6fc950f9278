/* SPDX-License-Identifier: MIT */
/* Message queues against a sorted array: random calls of every kind, each answer compared. */
#include "tests/support_queue.h"

enum { MODEL_CAPACITY = 12, MODEL_MAX = 700, MODEL_BYTES = 2048, MODEL_HELD = 4 };

typedef struct model_message {
    uint32_t priority, size;
    uint64_t number;
} model_message;

typedef struct model {
    acre_queue *view[2]; /* the same memory, twice; places are held by address, in the first */
    uint64_t seed, number;
    model_message list[MODEL_CAPACITY]; /* in the order of receiving */
    uint32_t n;
    acre_message filling[MODEL_HELD], reading[MODEL_HELD];
    uint32_t fillings, readings;
    bool bytes;
} model;

static acre_queue *model_queue(model *m)
{
    return m->view[acre_test_below(&m->seed, 2)];
}

static void model_make(model *m, bool bytes)
{
    acre_queue_options o = {
        .capacity = MODEL_CAPACITY, .max_size = MODEL_MAX, .bytes = bytes ? MODEL_BYTES : 0};
    size_t size = acre_queue_size(&o);
    int fd = memfd_create("queue", 0);
    ACRE_CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    *m = (model){.seed = acre_test_seed(), .bytes = bytes};
    for (int i = 0; i < 2; i++) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ACRE_CHECK(p != MAP_FAILED);
        if (i == 0)
            ACRE_CHECK_EQUAL(acre_queue_init(p, &o), 0);
        ACRE_CHECK_EQUAL(acre_queue_attach(&m->view[i], p, size), 0);
    }
    close(fd);
}

static uint32_t model_size(model *m)
{
    static const uint32_t most[] = {1, 20, 129, MODEL_MAX + 1};
    return (uint32_t)acre_test_below(&m->seed, most[acre_test_below(&m->seed, 4)]);
}

static uint32_t model_priority(model *m)
{
    static const uint32_t most[] = {1, 64, 70, UINT32_MAX};
    return (uint32_t)acre_test_below(&m->seed, most[acre_test_below(&m->seed, 4)]);
}

static void model_pattern(uint8_t *data, model_message x)
{
    for (uint32_t i = 0; i < x.size; i++)
        data[i] = (uint8_t)(x.number * 31 + i);
}

static void model_compare(const model *m, const void *data, size_t size, uint32_t priority)
{
    uint8_t wanted[MODEL_MAX];
    model_message x = m->list[0];
    ACRE_CHECK(m->n > 0);
    ACRE_CHECK_EQUAL(size, x.size);
    ACRE_CHECK_EQUAL(priority, x.priority);
    model_pattern(wanted, x);
    ACRE_CHECK(!memcmp(wanted, data, size));
}

static void model_insert(model *m, model_message x)
{
    uint32_t k = m->n++;
    ACRE_CHECK(m->n <= MODEL_CAPACITY);
    for (; k > 0 && m->list[k - 1].priority < x.priority; k--)
        m->list[k] = m->list[k - 1];
    m->list[k] = x;
}

static void model_remove(model *m)
{
    m->n--;
    memmove(m->list, m->list + 1, m->n * sizeof *m->list);
}

static bool model_full(const model *m)
{
    return m->n + m->fillings + m->readings == MODEL_CAPACITY;
}

/* In byte mode there may be no room although there is a place. */
static void model_expect_room(const model *m, int e)
{
    ACRE_CHECK(e == (model_full(m) ? EAGAIN : 0) || (m->bytes && e == EAGAIN), "%d", e);
}

static void model_send(model *m)
{
    uint8_t data[MODEL_MAX];
    model_message x = {model_priority(m), model_size(m), m->number++};
    model_pattern(data, x);
    int e = acre_queue_trysend(model_queue(m), data, x.size, x.priority);
    model_expect_room(m, e);
    if (!e)
        model_insert(m, x);
}

static void model_receive(model *m)
{
    uint8_t data[MODEL_MAX];
    size_t size = 0, room = acre_test_below(&m->seed, 8) ? MODEL_MAX : 50;
    uint32_t priority = 0;
    int e = acre_queue_tryreceive(model_queue(m), data, room, &size, &priority);
    ACRE_CHECK_EQUAL(e, !m->n ? EAGAIN : m->list[0].size > room ? EMSGSIZE : 0);
    if (e == EMSGSIZE)
        ACRE_CHECK_EQUAL(size, m->list[0].size);
    if (e)
        return;
    model_compare(m, data, size, priority);
    model_remove(m);
}

static void model_reserve(model *m)
{
    acre_message *x = &m->filling[m->fillings];
    if (m->fillings == MODEL_HELD)
        return;
    int e = acre_queue_tryreserve(m->view[0], model_size(m), x);
    model_expect_room(m, e);
    m->fillings += !e;
}

static acre_message model_pick(model *m, acre_message *list, uint32_t *n)
{
    uint32_t k = (uint32_t)acre_test_below(&m->seed, *n);
    acre_message x = list[k];
    list[k] = list[--*n];
    return x;
}

static void model_commit(model *m)
{
    if (!m->fillings)
        return;
    acre_message x = model_pick(m, m->filling, &m->fillings);
    x.priority = model_priority(m);
    x.size = (size_t)acre_test_below(&m->seed, x.size + 1);
    model_message y = {x.priority, (uint32_t)x.size, m->number++};
    model_pattern(x.data, y);
    ACRE_CHECK_EQUAL(acre_queue_commit(m->view[0], &x), 0);
    model_insert(m, y);
}

static void model_abandon(model *m)
{
    if (!m->fillings)
        return;
    acre_message x = model_pick(m, m->filling, &m->fillings);
    ACRE_CHECK_EQUAL(acre_queue_abandon(m->view[0], &x), 0);
}

static void model_acquire(model *m)
{
    acre_message *x = &m->reading[m->readings];
    if (m->readings == MODEL_HELD)
        return;
    int e = acre_queue_tryacquire(m->view[0], x);
    ACRE_CHECK_EQUAL(e, m->n ? 0 : EAGAIN);
    if (e)
        return;
    model_compare(m, x->data, x->size, x->priority);
    model_remove(m);
    m->readings++;
}

static void model_release(model *m)
{
    if (!m->readings)
        return;
    acre_message x = model_pick(m, m->reading, &m->readings);
    ACRE_CHECK_EQUAL(acre_queue_release(m->view[0], &x), 0);
}

static void model_send_many(model *m)
{
    uint8_t data[3][MODEL_MAX];
    acre_message list[3];
    model_message x[3];
    size_t sent = 9;
    for (int i = 0; i < 3; i++) {
        x[i] = (model_message){model_priority(m), model_size(m), m->number++};
        model_pattern(data[i], x[i]);
        list[i] = (acre_message){.data = data[i], .size = x[i].size, .priority = x[i].priority};
    }
    int e = acre_queue_trysend_many(model_queue(m), list, 3, &sent);
    ACRE_CHECK(e == 0 ? sent == 3 : e == EAGAIN && sent < 3);
    for (size_t i = 0; i < sent; i++)
        model_insert(m, x[i]);
    if (e)
        model_expect_room(m, e);
}

static void model_receive_many(model *m)
{
    uint8_t data[3][MODEL_MAX];
    acre_message list[3];
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        list[i] = (acre_message){.data = data[i], .size = MODEL_MAX};
    int e = acre_queue_tryreceive_many(model_queue(m), list, 3, &n);
    ACRE_CHECK_EQUAL(e, m->n ? 0 : EAGAIN);
    ACRE_CHECK_EQUAL(n, m->n < 3 ? m->n : 3);
    for (size_t i = 0; i < n; i++) {
        model_compare(m, list[i].data, list[i].size, list[i].priority);
        model_remove(m);
    }
}

static void model_step(model *m)
{
    static void (*const calls[])(model *) = {model_send,      model_send,        model_receive,
                                             model_receive,   model_reserve,     model_commit,
                                             model_abandon,   model_acquire,     model_release,
                                             model_send_many, model_receive_many};
    calls[acre_test_below(&m->seed, sizeof calls / sizeof *calls)](m);
    ACRE_CHECK_EQUAL(acre_queue_count(m->view[0]), m->n);
    if (m->number % 16 == 0)
        ACRE_CHECK_EQUAL(acre_queue_check(model_queue(m)), 0);
}

static void check_model(bool bytes)
{
    static model m;
    model_make(&m, bytes);
    for (size_t i = acre_test_rounds(100000); i > 0; i--)
        model_step(&m);
    ACRE_CHECK_EQUAL(acre_queue_check(m.view[1]), 0);
}

ACRE_TEST(queue, does_what_a_sorted_array_does)
{
    check_model(false);
}

ACRE_TEST(queue, does_what_a_sorted_array_does_in_byte_mode)
{
    check_model(true);
}
