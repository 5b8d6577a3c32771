// ringpost key: makes the keys of the native transport.

#include "apps/cli/help.hpp"
#include "apps/cli/key_files.hpp"
#include "apps/commands/commands.hpp"
#include "codec/crypto/hash.hpp"
#include "codec/crypto/noise.hpp"
#include "engine/faces/key_files.hpp"
#include "engine/os/random.hpp"

namespace ringpost::apps {
namespace {

constexpr const char* key_notes =
    "A key is 32 bytes in base64 on a line; lines that begin with # are comments. A file with a secret\n"
    "key has mode 0600: new and shared set it, and a file that others can read is refused.";

int new_secret() {
    // Any 32 bytes are a secret key of X25519, and of a group.
    auto key = random_value<crypto::Key>();
    print_secret_key(key);
    crypto::wipe(key);
    return Exit::done;
}

int public_of_stdin() {
    const auto secret = read_secret_key("-");
    if (!secret) throw Failure(Exit::usage, secret.error().text);
    crypto::KeyPair pair = crypto::key_pair_of(*secret);
    print_public_key(pair.public_key);
    return Exit::done;
}

}  // namespace

void add_key(CLI::App& root, Command& chosen) {
    CLI::App* command = root.add_subcommand("key", "make keys for the native transport");
    command->require_subcommand(1);
    CLI::App* pair = command->add_subcommand("new", "print a new secret key of one end");
    CLI::App* derive = command->add_subcommand("public", "print the public key of the secret key on standard input");
    CLI::App* shared = command->add_subcommand("shared", "print a new secret that all ends of a group share");
    const std::vector<std::string> examples{"ringpost key new", "ringpost key public", "ringpost key shared"};
    end_help(*pair, {.notes = key_notes, .examples = {examples[0]}, .exits = {Exit::failed}, .signals = false});
    end_help(*derive, {.notes = key_notes, .examples = {examples[1]}, .exits = {Exit::failed}, .signals = false});
    end_help(*shared, {.notes = std::string(key_notes) +
                                "\nA shared secret proves that a peer belongs to the group, not which member it is.",
                       .examples = {examples[2]},
                       .exits = {Exit::failed},
                       .signals = false});
    end_help(*command, {.notes = key_notes, .examples = examples, .exits = {Exit::failed}, .signals = false});
    pair->callback([&chosen] { chosen = new_secret; });
    shared->callback([&chosen] { chosen = new_secret; });
    derive->callback([&chosen] { chosen = public_of_stdin; });
}

}  // namespace ringpost::apps
