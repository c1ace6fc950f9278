/* SPDX-License-Identifier: MIT */
/* boost_sync.cc: Boost.Interprocess's locks, semaphore, condition and message queue behind the
 * tables of boost_sync.h.  Loops that are timed are instantiated here, so that Boost's calls are
 * inlined into them as they are in a user's program. */
#include "bench/boost_sync.h"

#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/file_lock.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_recursive_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/interprocess_upgradable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/version.hpp>

#include <cerrno>
#include <new>
#include <type_traits>

namespace bip = boost::interprocess;

namespace
{

boost::posix_time::ptime sync_deadline(unsigned ms)
{
    return boost::posix_time::microsec_clock::universal_time() +
           boost::posix_time::milliseconds(ms);
}

/* What may throw must not reach C. */
template <class F> int sync_guarded(F f) noexcept
{
    try {
        return f();
    } catch (...) {
        return EIO;
    }
}

/* ---- modes: how a lock's members are called ---- */

template <class M> struct exclusive {
    using type = M;
    static constexpr bool writes = true;
    static void lock(M &m)
    {
        m.lock();
    }
    static bool trylock(M &m)
    {
        return m.try_lock();
    }
    static bool lock_for(M &m, unsigned ms)
    {
        return m.timed_lock(sync_deadline(ms));
    }
    static void unlock(M &m)
    {
        m.unlock();
    }
};

template <class M> struct shared {
    using type = M;
    static constexpr bool writes = false;
    static void lock(M &m)
    {
        m.lock_sharable();
    }
    static bool trylock(M &m)
    {
        return m.try_lock_sharable();
    }
    static bool lock_for(M &m, unsigned ms)
    {
        return m.timed_lock_sharable(sync_deadline(ms));
    }
    static void unlock(M &m)
    {
        m.unlock_sharable();
    }
};

template <class M> struct upgradable {
    using type = M;
    static constexpr bool writes = false;
    static void lock(M &m)
    {
        m.lock_upgradable();
    }
    static bool trylock(M &m)
    {
        return m.try_lock_upgradable();
    }
    static bool lock_for(M &m, unsigned ms)
    {
        return m.timed_lock_upgradable(sync_deadline(ms));
    }
    static void unlock(M &m)
    {
        m.unlock_upgradable();
    }
};

struct counted {
    using type = bip::interprocess_semaphore;
    static constexpr bool writes = true;
    static void lock(type &s)
    {
        s.wait();
    }
    static bool trylock(type &s)
    {
        return s.try_wait();
    }
    static bool lock_for(type &s, unsigned ms)
    {
        return s.timed_wait(sync_deadline(ms));
    }
    static void unlock(type &s)
    {
        s.post();
    }
};

/* ---- the same functions for all modes ---- */

template <class Mode> typename Mode::type &sync_object(void *object)
{
    return *static_cast<typename Mode::type *>(object);
}

template <class Mode> int sync_lock(void *object)
{
    return sync_guarded([=] { return Mode::lock(sync_object<Mode>(object)), 0; });
}

template <class Mode, int busy> int sync_trylock(void *object)
{
    return sync_guarded([=] { return Mode::trylock(sync_object<Mode>(object)) ? 0 : busy; });
}

template <class Mode> int sync_lock_for(void *object, unsigned ms)
{
    return sync_guarded(
        [=] { return Mode::lock_for(sync_object<Mode>(object), ms) ? 0 : ETIMEDOUT; });
}

template <class Mode> int sync_unlock(void *object)
{
    return sync_guarded([=] { return Mode::unlock(sync_object<Mode>(object)), 0; });
}

template <class Mode> void sync_loop(typename Mode::type &m, volatile uint64_t *cell, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Mode::lock(m);
        if (Mode::writes)
            *cell = *cell + 1;
        else
            (void)*cell;
        Mode::unlock(m);
    }
}

template <class Mode> int sync_rounds(void *object, volatile uint64_t *cell, size_t n)
{
    return sync_guarded([=] { return sync_loop<Mode>(sync_object<Mode>(object), cell, n), 0; });
}

template <class T> void sync_destroy(void *object)
{
    static_cast<T *>(object)->~T();
}

template <class T> int sync_init(void *object, const char *)
{
    return sync_guarded([=] { return new (object) T, 0; });
}

template <> int sync_init<bip::file_lock>(void *object, const char *path)
{
    return sync_guarded([=] { return new (object) bip::file_lock(path), 0; });
}

template <class Mode> constexpr boost_lock sync_row(const char *name)
{
    using T = typename Mode::type;
    return {name,
            sizeof(T),
            sync_init<T>,
            sync_destroy<T>,
            sync_lock<Mode>,
            sync_trylock<Mode, EBUSY>,
            sync_lock_for<Mode>,
            sync_unlock<Mode>,
            sync_rounds<Mode>};
}

const boost_lock sync_locks[] = {
    sync_row<exclusive<bip::interprocess_mutex>>("mutex"),
    sync_row<exclusive<bip::interprocess_recursive_mutex>>("recursive"),
    sync_row<exclusive<bip::interprocess_sharable_mutex>>("sharable_exclusive"),
    sync_row<shared<bip::interprocess_sharable_mutex>>("sharable_shared"),
    sync_row<exclusive<bip::interprocess_upgradable_mutex>>("upgradable_exclusive"),
    sync_row<shared<bip::interprocess_upgradable_mutex>>("upgradable_shared"),
    sync_row<upgradable<bip::interprocess_upgradable_mutex>>("upgradable_upgradable"),
    sync_row<exclusive<bip::file_lock>>("file_lock"),
    {nullptr, 0, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr},
};

/* ---- semaphore ---- */

int sync_semaphore_init(void *object, unsigned count)
{
    return sync_guarded([=] { return new (object) bip::interprocess_semaphore(count), 0; });
}

/* ---- condition ---- */

using held_lock = bip::scoped_lock<bip::interprocess_mutex>;

bip::interprocess_condition &sync_condition(void *object)
{
    return *static_cast<bip::interprocess_condition *>(object);
}

int sync_condition_init(void *object)
{
    return sync_init<bip::interprocess_condition>(object, nullptr);
}

/* The caller keeps the lock: the guard only lends it. */
int sync_condition_wait(void *object, void *mutex)
{
    return sync_guarded([=] {
        held_lock l(*static_cast<bip::interprocess_mutex *>(mutex), bip::accept_ownership);
        sync_condition(object).wait(l);
        l.release();
        return 0;
    });
}

int sync_condition_wait_for(void *object, void *mutex, unsigned ms)
{
    return sync_guarded([=] {
        held_lock l(*static_cast<bip::interprocess_mutex *>(mutex), bip::accept_ownership);
        bool notified = sync_condition(object).timed_wait(l, sync_deadline(ms));
        l.release();
        return notified ? 0 : ETIMEDOUT;
    });
}

int sync_condition_notify_one(void *object)
{
    return sync_guarded([=] { return sync_condition(object).notify_one(), 0; });
}

int sync_condition_notify_all(void *object)
{
    return sync_guarded([=] { return sync_condition(object).notify_all(), 0; });
}

/* ---- message queue ---- */

bip::message_queue &sync_queue(void *object)
{
    return *static_cast<bip::message_queue *>(object);
}

int sync_queue_create(void *object, const char *name, size_t capacity, size_t max_size)
{
    return sync_guarded([=] {
        new (object) bip::message_queue(bip::create_only, name, capacity, max_size);
        return 0;
    });
}

int sync_queue_open(void *object, const char *name)
{
    return sync_guarded([=] { return new (object) bip::message_queue(bip::open_only, name), 0; });
}

int sync_queue_remove(const char *name)
{
    return bip::message_queue::remove(name) ? 0 : ENOENT;
}

int sync_queue_send(void *object, const void *message, size_t size, unsigned priority)
{
    return sync_guarded([=] { return sync_queue(object).send(message, size, priority), 0; });
}

int sync_queue_trysend(void *object, const void *message, size_t size, unsigned priority)
{
    return sync_guarded(
        [=] { return sync_queue(object).try_send(message, size, priority) ? 0 : EAGAIN; });
}

int sync_queue_send_for(void *object, const void *message, size_t size, unsigned priority,
                        unsigned ms)
{
    return sync_guarded([=] {
        return sync_queue(object).timed_send(message, size, priority, sync_deadline(ms))
                   ? 0
                   : ETIMEDOUT;
    });
}

int sync_queue_receive(void *object, void *buffer, size_t room, size_t *size, unsigned *priority)
{
    return sync_guarded([=] {
        bip::message_queue::size_type got = 0;
        sync_queue(object).receive(buffer, room, got, *priority);
        *size = got;
        return 0;
    });
}

int sync_queue_tryreceive(void *object, void *buffer, size_t room, size_t *size, unsigned *priority)
{
    return sync_guarded([=] {
        bip::message_queue::size_type got = 0;
        bool taken = sync_queue(object).try_receive(buffer, room, got, *priority);
        *size = got;
        return taken ? 0 : EAGAIN;
    });
}

int sync_queue_receive_for(void *object, void *buffer, size_t room, size_t *size,
                           unsigned *priority, unsigned ms)
{
    return sync_guarded([=] {
        bip::message_queue::size_type got = 0;
        bool taken =
            sync_queue(object).timed_receive(buffer, room, got, *priority, sync_deadline(ms));
        *size = got;
        return taken ? 0 : ETIMEDOUT;
    });
}

size_t sync_queue_count(void *object)
{
    return sync_queue(object).get_num_msg();
}

const boost_sync sync_table = {
    BOOST_LIB_VERSION,
    sync_locks,
    {sizeof(bip::interprocess_semaphore), sync_semaphore_init,
     sync_destroy<bip::interprocess_semaphore>, sync_lock<counted>, sync_trylock<counted, EAGAIN>,
     sync_lock_for<counted>, sync_unlock<counted>, sync_rounds<counted>},
    {sizeof(bip::interprocess_condition), sync_condition_init,
     sync_destroy<bip::interprocess_condition>, sync_condition_wait, sync_condition_wait_for,
     sync_condition_notify_one, sync_condition_notify_all},
    {sizeof(bip::message_queue), sync_queue_create, sync_queue_open,
     sync_destroy<bip::message_queue>, sync_queue_remove, sync_queue_send, sync_queue_trysend,
     sync_queue_send_for, sync_queue_receive, sync_queue_tryreceive, sync_queue_receive_for,
     sync_queue_count},
};

} // namespace

extern "C" __attribute__((visibility("default"))) const boost_sync *acre_boost_sync(void);

const boost_sync *acre_boost_sync(void)
{
    return &sync_table;
}
