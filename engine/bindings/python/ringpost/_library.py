"""Loads libringpost.so.0 and declares its functions and structures, as in <ringpost/ringpost.h>."""

from __future__ import annotations

import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint8, c_uint16
from ctypes import c_uint32, c_uint64, c_void_p
from typing import Any

from .errors import VersionMismatch

ABI_VERSION = 1
SONAME = "libringpost.so.0"
FOREVER = 2**63 - 1

MESSAGE, FOREIGN, OUTCOME, QUESTION, CHANGE, DAMAGE, PACKET, CONNECTION = 1, 2, 4, 8, 16, 32, 64, 128
ANY = 0x7FFFFFFF
SEND_JSON, SEND_OK, SEND_FAILED, SEND_RAW = 1, 2, 4, 8
EVENT_JSON, EVENT_UNSENT, EVENT_NO_TIME = 1, 2, 4


class Checked(Structure):
    """Refuses numbers that a member cannot hold, which ctypes would cut."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(value, int) and getattr(self, name) != value:
            raise ValueError(f"{name} {value}: out of range")


class CAddress(Structure):
    _fields_ = [("ip", c_uint8 * 16), ("scope", c_uint32), ("port", c_uint16), ("family", c_uint16)]


class CMessage(Structure):
    kept: bytes
    _fields_ = [("bytes", c_void_p), ("size", c_size_t), ("peer", POINTER(CAddress)), ("name", c_char_p),
                ("timeout_ns", c_int64), ("id", c_uint32), ("flags", c_uint32), ("connection", c_uint64),
                ("reserved", c_uint64)]


class CEvent(Structure):
    _fields_ = [("kind", c_int32), ("code", c_int32), ("id", c_uint64), ("peer", CAddress), ("offset", c_uint32),
                ("size", c_uint32), ("name_offset", c_uint32), ("name_size", c_uint32), ("flags", c_uint32),
                ("error", c_int32), ("value", c_int64), ("advertised", CAddress), ("connection", c_uint64),
                ("reserved", c_uint64)]


class CEngineOptions(Checked):
    _fields_ = [("backend", c_int32), ("wait", c_int32), ("gso", c_int32), ("gro", c_int32), ("reserved", c_int32 * 4)]


class CGtudpOptions(Checked):
    _fields_ = [("size", c_uint32), ("threaded", c_int32), ("engine", CEngineOptions), ("bind", CAddress),
                ("connect", CAddress), ("allowed", POINTER(c_char_p)), ("allowed_count", c_uint32), ("socket", c_int32),
                ("magic", c_char_p), ("types", c_char_p * 3), ("magic_size", c_uint32), ("type_size", c_uint32),
                ("checked", c_int32), ("receive_foreign", c_int32), ("report_outcomes", c_int32), ("trace", c_int32),
                ("data_sends_max", c_uint32), ("recv_sends_max", c_uint32), ("timeout_initial_ns", c_int64),
                ("timeout_min_ns", c_int64), ("timeout_max_ns", c_int64), ("fixed_interval_ns", c_int64),
                ("patience_ns", c_int64), ("remembered_ns", c_int64), ("sends_max", c_uint32),
                ("receives_max", c_uint32), ("peers_max", c_uint32), ("queued_sends_max", c_uint32), ("queued_receives_max", c_uint32),
                ("payload_bytes", c_uint64), ("event_bytes", c_uint64), ("congestion", c_int32),
                ("reserved_congestion", c_int32), ("reserved", c_uint64 * 3)]


Cancelled = CFUNCTYPE(c_int32, c_void_p)


class CConnectionOptions(Checked):
    _fields_ = [("size", c_uint32), ("insecure", c_int32), ("engine", CEngineOptions), ("psk", c_char_p),
                ("key", c_char_p), ("peer", c_char_p), ("allow", c_char_p), ("application", c_char_p),
                ("allowed", POINTER(c_char_p)), ("allowed_count", c_uint32), ("connections_max", c_uint32),
                ("timeout_ns", c_int64), ("channels", c_uint32), ("message_bytes_max", c_uint32),
                ("send_log_bytes", c_uint64), ("channel_window", c_uint64), ("connection_window", c_uint64),
                ("idle_timeout_ns", c_int64), ("keep_alive_ns", c_int64), ("session", c_char_p), ("token", c_char_p),
                ("token_size", c_uint32), ("sessions_max", c_uint32), ("acknowledgements", c_int32),
                ("congestion", c_int32), ("fixed_rate", c_double), ("fixed_window", c_uint64), ("qlog", c_char_p),
                ("datagram_bytes", c_uint32), ("reserved_datagram", c_uint32), ("cancelled", Cancelled), ("user", c_void_p),
                ("reserved", c_uint64 * 4)]


class CConfirmedOptions(Checked):
    _fields_ = [("size", c_uint32), ("reply", c_int32), ("engine", CEngineOptions), ("bind", CAddress),
                ("target", CAddress), ("peer_port", c_uint16), ("reserved_port", c_uint16), ("retarget", c_int32),
                ("confirm_from_any", c_int32), ("bytes_max", c_uint32), ("timeout_ns", c_int64),
                ("answers_within_ns", c_int64), ("copies_within_ns", c_int64), ("reserved", c_uint64 * 4)]


class CDevicesOptions(Checked):
    _fields_ = [("size", c_uint32), ("listen", c_int32), ("engine", CEngineOptions), ("name", c_char_p),
                ("group", CAddress), ("interfaces", POINTER(c_char_p)), ("ignored_interfaces", POINTER(c_char_p)),
                ("seeds", POINTER(CAddress)), ("interfaces_count", c_uint32), ("ignored_interfaces_count", c_uint32),
                ("seeds_count", c_uint32), ("tcp_port", c_uint16), ("reserved_port", c_uint16), ("period_ns", c_int64),
                ("notices_max", c_uint32), ("questions_max", c_uint32), ("reserved", c_uint64 * 4)]


class CStructDefinition(Checked):
    _fields_ = [("id", c_uint32), ("reserved", c_uint32), ("name", c_char_p), ("format", c_char_p)]


class CStructsOptions(Checked):
    _fields_ = [("size", c_uint32), ("broadcast", c_int32), ("engine", CEngineOptions), ("bind", CAddress),
                ("allowed", POINTER(c_char_p)), ("definitions", POINTER(CStructDefinition)),
                ("allowed_count", c_uint32), ("definitions_count", c_uint32), ("reserved", c_uint64 * 4)]


class CBeaconTarget(Structure):
    _fields_ = [("address", CAddress), ("advertised_ipv4", c_uint8 * 4), ("reserved", c_uint32)]


class CBeaconOptions(Checked):
    _fields_ = [("size", c_uint32), ("broadcast", c_int32), ("engine", CEngineOptions), ("bind", CAddress),
                ("targets", POINTER(CBeaconTarget)), ("targets_count", c_uint32), ("advertised_port", c_uint16),
                ("reserved_port", c_uint16), ("quote", c_char_p), ("period_ns", c_int64), ("rounds", c_uint64),
                ("reserved", c_uint64 * 4)]


class CCounter(Structure):
    _fields_ = [("name", c_char_p), ("value", c_uint64)]


class CAnswer(Structure):
    _fields_ = [("reply", c_int32), ("name_offset", c_uint32), ("name_size", c_uint32), ("offset", c_uint32),
                ("size", c_uint32), ("reserved", c_uint32 * 3)]


class CPeer(Structure):
    _fields_ = [("address", CAddress), ("name_offset", c_uint32), ("name_size", c_uint32), ("suspect", c_int32),
                ("connected", c_int32), ("reserved", c_uint32 * 2)]


class CPacket(Structure):
    _fields_ = [("id", c_uint32), ("offset", c_uint32), ("size", c_uint32), ("end", c_uint32)]


Handle = c_void_p
# Each function: its result and its arguments.
FUNCTIONS = {
    "rp_check_abi": (c_int32, c_int32),
    "rp_abi_version": (c_int32,),
    "rp_version": (c_char_p,),
    "rp_last_error": (c_char_p,),
    "rp_last_errno": (c_int32,),
    "rp_error_name": (c_char_p, c_int32),
    "rp_resolve": (c_int32, c_char_p, c_uint16, POINTER(CAddress)),
    "rp_address_text": (c_int32, POINTER(CAddress), c_char_p, c_size_t),
    "rp_send": (c_int32, Handle, POINTER(CMessage), POINTER(c_uint64)),
    "rp_send_packed": (c_int32, Handle, POINTER(CAddress), c_void_p, c_void_p, c_uint32, c_uint32, c_int64, c_void_p),
    "rp_send_and_wait": (c_int32, Handle, POINTER(CMessage), c_int64, POINTER(CEvent), c_void_p, c_size_t),
    "rp_cancel": (c_int32, Handle, c_uint64),
    "rp_receive_many": (c_int32, Handle, c_int32, POINTER(CEvent), c_uint32, c_void_p, c_size_t, c_int64),
    "rp_fd": (c_int32, Handle),
    "rp_poll": (c_int32, Handle),
    "rp_wake": (c_int32, Handle),
    "rp_stop": (c_int32, Handle),
    "rp_close": (c_int32, Handle),
    "rp_local": (c_int32, Handle, POINTER(CAddress)),
    "rp_target": (c_int32, Handle, POINTER(CAddress)),
    "rp_in_flight": (c_int64, Handle),
    "rp_finished": (c_int32, Handle),
    "rp_backend": (c_char_p, Handle),
    "rp_note": (c_char_p, Handle),
    "rp_counters": (c_int32, Handle, POINTER(CCounter), c_uint32),
    "rp_gtudp_init": (c_int32, POINTER(CGtudpOptions), c_size_t),
    "rp_gtudp_open": (c_int32, POINTER(CGtudpOptions), POINTER(Handle)),
    "rp_connection_init": (c_int32, POINTER(CConnectionOptions), c_size_t),
    "rp_connect": (c_int32, c_char_p, POINTER(CConnectionOptions), POINTER(Handle)),
    "rp_listen": (c_int32, c_char_p, POINTER(CConnectionOptions), POINTER(Handle)),
    "rp_finish": (c_int32, Handle, c_uint64, c_int64, POINTER(CEvent)),
    "rp_begin_finish": (c_int32, Handle, c_uint64, c_int64),
    "rp_allow": (c_int32, Handle, c_char_p),
    "rp_add_session": (c_int32, Handle, c_char_p, c_char_p, c_size_t),
    "rp_remove_session": (c_int32, Handle, c_char_p),
    "rp_confirmed_init": (c_int32, POINTER(CConfirmedOptions), c_size_t),
    "rp_confirmed_open": (c_int32, POINTER(CConfirmedOptions), POINTER(Handle)),
    "rp_devices_init": (c_int32, POINTER(CDevicesOptions), c_size_t),
    "rp_devices_open": (c_int32, POINTER(CDevicesOptions), POINTER(Handle)),
    "rp_structs_init": (c_int32, POINTER(CStructsOptions), c_size_t),
    "rp_structs_open": (c_int32, POINTER(CStructsOptions), POINTER(Handle)),
    "rp_beacon_init": (c_int32, POINTER(CBeaconOptions), c_size_t),
    "rp_beacon_open": (c_int32, POINTER(CBeaconOptions), POINTER(Handle)),
    "rp_ask": (c_int32, Handle, POINTER(c_char_p), c_uint32, c_char_p, c_size_t, c_int64, POINTER(c_uint64)),
    "rp_answers": (c_int32, Handle, c_uint64, POINTER(CAnswer), c_uint32, c_void_p, c_size_t, POINTER(c_size_t)),
    "rp_answer": (c_int32, Handle, c_uint64, c_char_p, c_size_t),
    "rp_drop": (c_int32, Handle, c_uint64),
    "rp_peers": (c_int32, Handle, POINTER(CPeer), c_uint32, c_void_p, c_size_t, POINTER(c_uint32), POINTER(c_size_t)),
    "rp_structs_define": (c_int32, Handle, POINTER(CStructDefinition)),
    "rp_packet_write": (c_int32, c_uint32, c_char_p, c_size_t, c_void_p, c_size_t),
    "rp_packet_find": (c_int32, c_char_p, c_size_t, c_size_t, POINTER(CPacket)),
}


def load() -> ctypes.CDLL:
    """The library that RINGPOST_LIBRARY names, or else the installed one. Calls into it release the GIL."""
    path = os.environ.get("RINGPOST_LIBRARY") or SONAME
    loaded = ctypes.CDLL(path)
    try:
        version = int(loaded.rp_abi_version())
    except AttributeError:
        raise VersionMismatch(f"{path} is not libringpost, or has no C interface") from None
    if version != ABI_VERSION:
        raise VersionMismatch(f"{path} has version {version} of the C interface; this package needs {ABI_VERSION}")
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


lib = load()
