# SPDX-License-Identifier: MIT
"""What a host in another language does: loads the library late, into a process that has threads already, and uses it from these
and from new ones. The library's variables of threads stand at fixed offsets, for which the C library keeps little room.

	check_loading.py LIBRARY
"""
import ctypes
import sys
import threading

FOUND = 1
THREADS = 4
ROUNDS = 2000


def load(path):
    library = ctypes.CDLL(path)
    pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
    for name, result, arguments in (
            ("shipopt_cache_new", ctypes.c_int, [pointer, ctypes.POINTER(pointer), pointer]),
            ("shipopt_cache_free", None, [pointer]),
            ("shipopt_cache_put", ctypes.c_int, [pointer, text, size, text, size, pointer]),
            ("shipopt_cache_get", ctypes.c_int, [pointer, text, size, ctypes.POINTER(pointer)]),
            ("shipopt_value_data", pointer, [pointer]),
            ("shipopt_value_length", size, [pointer]),
            ("shipopt_value_unref", None, [pointer])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Host:
    """Threads of before and after the loading; each reads its own writes, and keeps every third handle for a while."""

    def __init__(self):
        self.loaded = threading.Event()
        self.library = self.cache = None
        self.failures = []

    def check(self, value, expected):
        data, length = self.library.shipopt_value_data(value), self.library.shipopt_value_length(value)
        if ctypes.string_at(data, length) != expected:
            raise AssertionError("%r is not %r" % (ctypes.string_at(data, length), expected))

    def use(self, number):
        kept = []
        for i in range(ROUNDS):
            key, content = b"key %d of thread %d" % (i % 50, number), b"value %d" % i
            value = ctypes.c_void_p()
            if self.library.shipopt_cache_put(self.cache, key, len(key), content, len(content), None) != 0:
                raise AssertionError("nothing was put")
            if self.library.shipopt_cache_get(self.cache, key, len(key), ctypes.byref(value)) != FOUND:
                raise AssertionError("what was put was not found")
            self.check(value, content)
            if i % 3 == 0:
                kept.append((value, content))
            else:
                self.library.shipopt_value_unref(value)
        for value, content in kept:
            self.check(value, content)
            self.library.shipopt_value_unref(value)

    def run(self, number):
        self.loaded.wait()
        try:
            self.use(number)
        except BaseException as failure:  # pylint: disable=broad-except
            self.failures.append(failure)


def main():
    host = Host()
    threads = [threading.Thread(target=host.run, args=(number,)) for number in range(THREADS)]
    for thread in threads[::2]:
        thread.start()
    try:
        host.library = load(sys.argv[1])
        host.cache = ctypes.c_void_p()
        if host.library.shipopt_cache_new(None, ctypes.byref(host.cache), None) != 0:
            raise AssertionError("no cache was made")
    except BaseException as failure:
        host.failures.append(failure)
        host.use = lambda number: None
    host.loaded.set()
    for thread in threads[1::2]:
        thread.start()
    for thread in threads:
        thread.join()
    if host.failures:
        sys.exit("failed: %s" % host.failures[0])
    host.library.shipopt_cache_free(host.cache)
    print("loaded late and used by %d threads" % THREADS)


main()
