"""Escapes in Python, as data. Each is a program; `<secret>` and the like are filled in.

Every program begins with `PRELUDE`. One of `REFUSED` escaped if it ends without an exception, one
of `LOOKING` if what it leaves in `result` holds a canary, one of `GREEDY` unless it is stopped.
"""

PRELUDE = """
import ctypes, os, socket, struct, sys, threading, time
from etlfabric_core.sandbox.forbidden import FORBIDDEN
from etlfabric_core.sandbox.seccomp import column
libc = ctypes.CDLL(None, use_errno=True)
ROOM = ctypes.create_string_buffer(256)
INET, INET6, UDP = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM
def call(name, *args):
    done = libc.syscall(FORBIDDEN[name][column()], *args)
    if done == -1:
        raise OSError(ctypes.get_errno(), name)
    return done
def checked(done):
    if done == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return done
"""

PROCESSES = {
    "fork": "if os.fork() == 0: os._exit(0)",
    "a shell": "assert os.system('true') == 0",
    "a program": "import subprocess; subprocess.run(['/bin/true'], check=True)",
    "a program in place": "os.execv('/bin/true', ['true'])",
    "a spawned program": "os.posix_spawn('/bin/true', ['true'], {})",
    "a process pool": "import multiprocessing as m; m.get_context('fork').Process().start()",
    "a bare clone": "checked(libc.syscall(56 if column() == 0 else 220, 17, 0, 0, 0, 0))",
    "a bare clone3": "checked(libc.syscall(435, ROOM, 64))",
    "a program in memory": "os.fexecve if 0 else os.execve(os.memfd_create('x'), ['x'], {})",
    "signals to all": "os.kill(-1, 0)",
    "a signal to the caller": "os.kill(<pid>, 0)",
    "a signal to the group": "os.killpg(<pid>, 0)",
    "a signal to the server": "os.kill(os.getppid() or 1, 0)",
    "a signal by descriptor": "import signal; signal.pidfd_send_signal(os.pidfd_open(<pid>), 0)",
    "a signal by a file": """
import fcntl
a, b = socket.socketpair()
fcntl.fcntl(a, fcntl.F_SETOWN, <pid>)
fcntl.fcntl(a, fcntl.F_SETFL, os.O_ASYNC)
b.send(b'x')
raise PermissionError('delivered to nobody; the test looks at the caller')
""",
    "trace the caller": "call('ptrace', 16, <pid>, 0, 0)",
    "trace itself": "call('ptrace', 0, 0, 0, 0)",
    "read the caller's memory": """
call('process_vm_readv', <pid>, ROOM, 1, ROOM,
     1, 0)
""",
    "take the caller's file": "call('pidfd_getfd', checked(libc.syscall(434, <pid>, 0)), 0, 0)",
    "outlive the caller": "checked(libc.prctl(1, 0, 0, 0, 0))",
    "be dumped": "checked(libc.prctl(4, 1, 0, 0, 0))",
    "run before others": "os.setpriority(os.PRIO_PROCESS, 0, -20)",
    "lift the memory limit": """
import resource
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
""",
    "limit the caller": """
import resource
resource.prlimit(<pid>, resource.RLIMIT_NOFILE, (0, 0))
""",
}

FILES = {
    "read a file": "open('<secret>').read()",
    "read by climbing": "open('../../../../../../../..<secret>').read()",
    "read by a folder's descriptor": "os.open('<secret>', os.O_RDONLY, dir_fd=os.open('/', 0))",
    "read the system's passwords": "open('/etc/shadow').read()",
    "read the system's users": "open('/etc/passwd').read()",
    "read a device": "open('/dev/mem', 'rb').read(1)",
    "read a disk": "open('/dev/vda', 'rb').read(1)",
    "write beside its folder": "open('<drop>', 'w').write('x')",
    "write in the system": "open('/usr/lib/python3/x.py', 'w').write('x')",
    "write into a library": "import json; open(json.__file__, 'a').write('x')",
    "write into this package": "import etlfabric_core as e; open(e.__file__, 'a').write('x')",
    "leave a file in /tmp": "open('/tmp/etlfabric-escape', 'w').write('x')",
    "leave a file in shared memory": "open('/dev/shm/etlfabric-escape', 'w').write('x')",
    "shared memory": """
from multiprocessing.shared_memory import SharedMemory
SharedMemory('etlfabric-escape', create=True, size=16)
""",
    "System V shared memory": "call('shmget', 4711, 4096, 0o1666)",
    "a message queue": "call('mq_open', b'/etlfabric-escape', 0o102, 0o600, 0)",
    "a symbolic link": "os.symlink('<secret>', 'output.parquet')",
    "a symbolic link in a race": """
done = []
def race():
    while not done:
        try:
            os.symlink('<secret>', 'raced.csv'); done.append(1)
        except OSError as error:
            done.append(error)
threads = [threading.Thread(target=race) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
raise done[0]
""",
    "a hard link": "os.link('<secret>', 'output.parquet')",
    "a hard link by descriptor": """
fd = os.open('<secret>', os.O_PATH)
os.link(f'/proc/self/fd/{fd}', 'output.parquet', follow_symlinks=True)
""",
    "move a file in": "os.rename('<secret>', 'output.parquet')",
    "move a file out": "open('x', 'w').close(); os.rename('x', '<drop>')",
    "a named pipe": "os.mkfifo('output.parquet')",
    "a device": "os.mknod('zero', 0o20666, os.makedev(1, 5))",
    "a file without a name": "os.open('.', os.O_TMPFILE | os.O_RDWR)",
    "a file by its handle": "call('open_by_handle_at', -100, ROOM, 0)",
    "change rights": "os.chmod('.', 0o777)",
    "change the owner": "os.chown('.', 0, 0)",
    "set the user id bit": "open('x', 'w').close(); os.chmod('x', 0o4755)",
    "watch a folder": "call('inotify_init1', 0)",
}

KERNEL = {
    "another user": "os.setresuid(0, 0, 0)",
    "no groups": "os.setgroups([])",
    "capabilities": "call('capset', ROOM, ROOM)",
    "a user namespace": "call('unshare', 0x10000000)",
    "a network namespace": "call('unshare', 0x40000000)",
    "another's namespace": "call('setns', 0, 0)",
    "a mount": "call('mount', b'none', b'.', b'tmpfs', 0, 0)",
    "the new way of mounts": "call('fsopen', b'tmpfs', 0)",
    "another root": "os.chroot('.')",
    "a swapped root": "call('pivot_root', b'.', b'.')",
    "a program in the kernel": "call('bpf', 0, ROOM, 128)",
    "performance counters": "call('perf_event_open', ROOM, 0, -1, -1, 0)",
    "faults in user space": "call('userfaultfd', 0)",
    "a ring of calls": "call('io_uring_setup', 8, ROOM)",
    "the keyring": "call('keyctl', 0, -3, 0)",
    "a key": "call('add_key', b'user', b'x', b'y', 1, -3)",
    "the kernel's log": "call('syslog', 3, ROOM, 64)",
    "the clock": "call('settimeofday', 0, 0)",
    "the host's name": "call('sethostname', b'x', 1)",
    "a module": "call('init_module', 0, 0, b'')",
    "a restart": "call('reboot', 0, 0, 0, 0)",
    "a secret memory": "call('memfd_secret', 0)",
}

NETWORK = {
    "TCP to the host": "socket.create_connection(('127.0.0.1', <port>), timeout=2)",
    "TCP over IPv6": "socket.create_connection(('::1', <port>), timeout=2)",
    "TCP to a mapped address": """
with socket.socket(socket.AF_INET6) as s:
    s.settimeout(2); s.connect(('::ffff:127.0.0.1', <port>))
""",
    "TCP without a handshake": """
with socket.socket() as s:
    checked(libc.sendto(s.fileno(), b'x', 1, 0x20000000, struct.pack('=HH4s8x', 2,
            socket.htons(<port>), socket.inet_aton('127.0.0.1')), 16))
""",
    "the address of clouds": "socket.create_connection(('169.254.169.254', 80), timeout=2)",
    "an address outside": "socket.create_connection(('192.0.2.1', 443), timeout=2)",
    "UDP": "socket.socket(INET, UDP).sendto(b'x', ('127.0.0.1', <port>))",
    "UDP over IPv6": "socket.socket(INET6, UDP).sendto(b'x', ('::1', <port>))",
    "names": "socket.getaddrinfo('example.com', 80)",
    "the host's own name": "socket.getaddrinfo(socket.gethostname() + '.', 80)",
    "a local socket": "socket.socket(socket.AF_UNIX).connect('<unix>')",
    "an abstract socket": "socket.socket(socket.AF_UNIX).connect('\\0<abstract>')",
    "a pair that is turned": """
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
a.connect('<unix>')
""",
    "a stream pair that is turned": "a, b = socket.socketpair(); a.connect('<unix>')",
    "the fork server": "socket.socket(socket.AF_UNIX).connect('<server>')",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "raw packets": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)",
    "the machine's host": "socket.socket(socket.AF_VSOCK).connect((2, 1024))",
    "bluetooth": "socket.socket(31, socket.SOCK_RAW, 1)",
    "the kernel's ciphers": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "SCTP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).connect(('127.0.0.1', <port>))",
    "MPTCP": """
with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:
    s.settimeout(2); s.connect(('127.0.0.1', <port>))
""",
    "a server": "socket.create_server(('0.0.0.0', <free>))",
    "a server without bind": """
s = socket.socket(); s.listen(); s.settimeout(2)
s.accept()
""",
}

REFUSED = PROCESSES | FILES | KERNEL | NETWORK

LOOKING = {
    "all of /proc": """
result = []
try:
    pids = os.listdir('/proc')
except OSError:
    pids = []
for pid in pids + ['<pid>', '1', 'self']:
    for name in ('environ', 'cmdline', 'maps', 'mountinfo', 'root<secret>', 'cwd/<drop>'):
        try:
            result.append(open(f'/proc/{pid}/{name}', errors='replace').read())
        except OSError as error:
            result.append(type(error).__name__)
""",
    "its environment": """
environ = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, 'environ')
result, i = [dict(os.environ)], 0
while environ[i]:
    result.append(environ[i]); i += 1
""",
    "its descriptors": """
result = []
for fd in range(1024):
    try:
        os.fstat(fd)
    except OSError:
        continue
    if fd > 2:
        result.append(fd)
assert len(result) <= 1, result
""",
    "what Python remembers": """
import gc
result = [repr(o)[:2000] for o in gc.get_objects() if isinstance(o, (dict, list, str))][:20000]
result += [repr(frame.f_locals) for frame in sys._current_frames().values()]
""",
    "all folders": """
result = []
for folder in ('/', '/tmp', '/root', '/home', '/etc', '/var', '/dev/shm', '<folder>', '..'):
    try:
        result += os.listdir(folder)
    except OSError as error:
        result.append(type(error).__name__)
assert 'profiles.yml' not in result
""",
}

# name → (program, what the error says)
GREEDY = {
    "an endless loop": ("while True: pass", "seconds"),
    "a loop that takes no signal": (
        "import signal\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\nwhile True: pass",
        "seconds",
    ),
    "a wait": ("time.sleep(600)", "longer than 6 seconds"),
    "ten gigabytes": ("x = bytearray(10 << 30)", "memory"),
    "ten gigabytes of a mapping": (
        "import mmap\ntry: mmap.mmap(-1, 10 << 30)\nexcept OSError as e: raise MemoryError from e",
        "memory",
    ),
    "little by little": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory"),
    "threads without end": (
        "threading.stack_size(32768)\nwait = threading.Event()\n"
        "for _ in range(100000): threading.Thread(target=wait.wait, daemon=True).start()",
        "RuntimeError|memory|seconds",
    ),
    "a full disk": (
        "for i in range(9999): open(f'f{i}', 'wb').write(bytes(8 << 20))",
        "wrote more than",
    ),
    "a full disk of deleted files": (
        "kept = []\nfor i in range(9999):\n  f = open('f', 'wb'); kept.append(f)\n"
        "  f.write(bytes(16 << 20)); f.flush(); os.remove('f')",
        "OSError|seconds|wrote",
    ),
    "one large file": ("f = open('f', 'wb')\nwhile True: f.write(bytes(8 << 20))", "OSError|wrote"),
    "a sparse file": ("open('f', 'wb').truncate(1 << 40)", "OSError"),
    "a reserved file": ("os.posix_fallocate(os.open('f', 66), 0, 1 << 40)", "OSError"),
    "files without end": (
        "for i in range(10**7): open(f'f{i}', 'w').close()",
        "made|seconds",
    ),
    "folders in folders": (
        "for i in range(10**7):\n  os.mkdir('d'); os.chdir('d')",
        "made|seconds|OSError",
    ),
    "a folder that nobody can read": (
        "os.mkdir('d', 0o300); open('d/f', 'wb').write(bytes(64))\nwhile True: pass",
        "seconds|nobody can look",
    ),
    "a gigabyte on stdout": (
        "for _ in range(1024): os.write(1, bytes(1 << 20))\nwhile True: pass",
        "seconds",
    ),
    "a gigabyte of answer": ("result = 'x' * (1 << 30)", "answered with|memory"),
    "a gigabyte past the answer": (
        "fd = next(fd for fd in range(3, 1024) if os.path.exists(f'/dev/fd/{fd}') or True)\n"
        "for fd in range(3, 64):\n  try:\n    while True: os.write(fd, b'x' * (1 << 20))\n"
        "  except OSError: pass",
        "answered with|without an answer|memory",
    ),
    "a flood of log lines": (
        "import logging\nwhile True: logging.getLogger('x').error('x' * 100000)",
        "answered with",
    ),
    "a crash": ("ctypes.string_at(0)", "without an answer"),
    "an end": ("os._exit(0)", "without an answer"),
}
