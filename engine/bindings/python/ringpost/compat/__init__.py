"""Modules with the interfaces of five older programs, on ringpost. Only the import line of a program changes.

    gtudp             from ringpost.compat.gtudp import GTUDP
    udp_connection    from ringpost.compat.udp_connection import UDPConnection
    connect           from ringpost.compat.connect import Connect
    ipcpy             import ringpost.compat.ipcpy as ipc
    beacon            from ringpost.compat.beacon import Beacon, or python3 -m ringpost.compat.beacon
"""
