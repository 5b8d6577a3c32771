#include "codec/devices/names.hpp"

namespace ringpost::devices {

const char* name_of(Sent sent) {
    switch (sent) {
        case Sent::queued: return "queued";
        case Sent::not_connected: return "not connected";
        case Sent::too_large: return "too large";
        case Sent::queue_full: return "queue full";
        case Sent::cannot_carry: return "cannot be carried: it contains `:,:` or `/EOL`, or is not UTF-8";
        case Sent::expired: return "answered already, or too old";
    }
    return "";
}

const char* name_of(Reply reply) {
    switch (reply) {
        case Reply::waiting: return "waiting";
        case Reply::answered: return "answered";
        case Reply::timed_out: return "timed out";
        case Reply::not_connected: return "not connected";
        case Reply::too_large: return "too large";
        case Reply::queue_full: return "queue full";
        case Reply::no_room: return "no room for its answer";
    }
    return "";
}

const char* name_of(Event::Kind kind) {
    using Kind = Event::Kind;
    switch (kind) {
        case Kind::message: return "message";
        case Kind::question: return "question";
        case Kind::answers: return "answers";
        case Kind::appeared: return "appeared";
        case Kind::suspect: return "suspect";
        case Kind::back: return "back";
        case Kind::gone: return "gone";
        case Kind::conflict: return "conflict";
        case Kind::name_taken: return "name_taken";
        case Kind::connected: return "connected";
        case Kind::disconnected: return "disconnected";
        case Kind::room: return "room";
        case Kind::rejoin: return "rejoin";
    }
    return "";
}

const char* name_of(Cause cause) {
    switch (cause) {
        case Cause::finished: return "closed by the peer";
        case Cause::mid_frame: return "closed within a frame";
        case Cause::reset: return "reset";
        case Cause::refused: return "refused";
        case Cause::unreachable: return "unreachable";
        case Cause::failed: return "failed";
        case Cause::connect_timeout: return "connecting took too long";
        case Cause::name_timeout: return "no name came";
        case Cause::bad_name: return "bad name";
        case Cause::own_name: return "it has our name";
        case Cause::name_conflict: return "its name is connected from elsewhere";
        case Cause::duplicate: return "another connection took its place";
        case Cause::frame_too_long: return "frame too long";
        case Cause::frame_too_slow: return "frame too slow";
        case Cause::bad_frame: return "bad frame";
        case Cause::not_utf8: return "not UTF-8";
        case Cause::directory_full: return "directory full";
        case Cause::overrun: return "overrun";
        case Cause::goodbye: return "goodbye";
        case Cause::gone: return "silent";
        case Cause::closed: return "closed";
    }
    return "";
}

const char* name_of(Presence presence) { return presence == Presence::alive ? "alive" : "suspect"; }

}  // namespace ringpost::devices
