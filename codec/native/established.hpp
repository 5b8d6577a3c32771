#pragma once

// What a handshake ends in, and a connection begins with.

#include <cstdint>
#include <string>

#include <ringpost/time.hpp>
#include "codec/crypto/noise.hpp"
#include "codec/native/packet.hpp"
#include "codec/native/parameters.hpp"

namespace ringpost::native {

struct Established {
    crypto::PacketKey send, receive;  ///< no packet has been sealed or opened with them; numbers start at 0
    Id local{};                       ///< in packets to us
    Id remote{};                      ///< in packets to the peer
    Parameters parameters{};          ///< the peer's
    ResetToken reset_token{};         ///< the peer's, of `remote`
    crypto::Role role = crypto::Role::initiator;
    crypto::Pattern pattern = crypto::Pattern::nn_psk0;
    crypto::Suite suite = crypto::Suite::aes256_gcm;
    Duration rtt = 0;                 ///< a round trip that the handshake has measured; 0: it had to send again
    crypto::Key peer_key{};           ///< the peer's public key; zeros: NNpsk0, and the initiator of NK
    std::string session{};            ///< the client's, at a server; see sessions.hpp
    crypto::Digest handshake_hash{};  ///< the same at both ends, and of no other connection
};

}  // namespace ringpost::native
