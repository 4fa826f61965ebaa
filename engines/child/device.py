"""The device: the one way out of a network namespace of our own, which leads to whoever asked for it.

A TUN device with an address and the default route of both families. Its descriptor goes to our parent, who reads every
packet that would have left and answers it. Made in the child, which has the right to do so until its walls stand; by
ioctl(2) and rtnetlink(7) alone, in well under a millisecond. Where IPv6 is switched off there is nothing of it to see.
"""

from __future__ import annotations

import os
from typing import Any

_VARIABLE = "WFEXS_LIKE_DEVICE"
_NAME = b"dark0"
_DEVICE = "/dev/net/tun"
# linux/if_tun.h, linux/sockios.h, linux/if.h
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCGIFINDEX, _IFF_UP, _IFF_RUNNING = 0x8913, 0x8914, 0x8933, 0x1, 0x40
# linux/rtnetlink.h, linux/netlink.h, linux/if_addr.h
_NEWADDR, _NEWROUTE, _REQUEST_ACK_CREATE = 20, 24, 0x1 | 0x4 | 0x400
_LOCAL, _ADDRESS, _GATEWAY_DEVICE, _NODAD = 2, 1, 4, 0x02
_MAIN, _BOOT, _LINK, _UNIVERSE, _UNICAST = 254, 3, 253, 0, 1
_ADDRESSES = ((bytes((169, 254, 77, 1)), 16), (b"\xfd" + bytes(14) + b"\x01", 64))


def hand_over() -> None:
    """Make the device and send its descriptor to whom the environment names; or, without it, why there is none.

    The message is the inode of the network namespace, with the device's descriptor and the namespace's, or a sentence.
    """
    number = os.environ.pop(_VARIABLE, "")
    if not number:
        return
    import _socket

    line = _socket.socket(fileno=int(number))
    try:
        send(line, make)
    finally:
        line.close()


def send(line: Any, make_device: Any) -> None:
    """Send what ``make_device`` makes, or why it could not, over a socket (of either of Python's modules)."""
    import _socket
    import struct

    try:
        descriptor = make_device()
    except OSError as error:
        words = f"{error.filename or _DEVICE}: {os.strerror(error.errno) if error.errno else error}"
        line.sendmsg([words.encode()])
        return
    namespace = -1
    try:
        # Who has it open needs no number of a process to name it by, which could be another's by then.
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        inode = str(os.fstat(namespace).st_ino)
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("ii", descriptor, namespace))
        line.sendmsg([inode.encode()], [rights])
    finally:
        os.close(descriptor)
        if namespace >= 0:
            os.close(namespace)


def make() -> int:
    """The descriptor of a device that stands, in the network namespace of this process.

    Raises:
        OSError: it can't be had here.
    """
    import _socket
    import fcntl
    import struct

    descriptor = os.open(_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22s", _NAME, _IFF_TUN | _IFF_NO_PI, b""))
        control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
        try:
            answer = fcntl.ioctl(control.fileno(), _SIOCGIFINDEX, struct.pack("16s24s", _NAME, b""))
            index = struct.unpack_from("i", answer, 16)[0]
            for name in (b"lo", _NAME):
                up = struct.pack("16sH22s", name, _IFF_UP | _IFF_RUNNING, b"")
                fcntl.ioctl(control.fileno(), _SIOCSIFFLAGS, up)
        finally:
            control.close()
        _give_routes(index)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _give_routes(index: int) -> None:
    """An address and the default route, of each family; IPv6 may be switched off."""
    import _socket
    import struct

    netlink = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _socket.NETLINK_ROUTE)
    try:
        for address, length in _ADDRESSES:
            family, flags = (_socket.AF_INET, 0) if len(address) == 4 else (_socket.AF_INET6, _NODAD)  # noqa: PLR2004
            scope = _LINK if family == _socket.AF_INET else _UNIVERSE
            try:
                body = struct.pack("=BBBBi", family, length, flags, _UNIVERSE, index)
                _ask(netlink, _NEWADDR, body + _attribute(_LOCAL, address) + _attribute(_ADDRESS, address))
                body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, _MAIN, _BOOT, scope, _UNICAST, 0)
                _ask(netlink, _NEWROUTE, body + _attribute(_GATEWAY_DEVICE, struct.pack("=i", index)))
            except OSError:
                if family == _socket.AF_INET:
                    raise
    finally:
        netlink.close()


def _attribute(kind: int, value: bytes) -> bytes:
    import struct

    return struct.pack("=HH", 4 + len(value), kind) + value


def _ask(netlink: Any, kind: int, body: bytes) -> None:
    """Send one request and read its acknowledgement."""
    import struct

    netlink.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_ACK_CREATE, 1, 0) + body)
    code = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if code:
        raise OSError(-code, os.strerror(-code))
