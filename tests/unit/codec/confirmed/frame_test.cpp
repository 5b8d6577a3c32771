#include "codec/confirmed/frame.hpp"

#include <gtest/gtest.h>

#include "tests/unit/helpers.hpp"
#include "tests/unit/vectors.hpp"

namespace ringpost::confirmed {
namespace {

std::expected<Frame, FrameError> decode_text(std::string_view text) { return decode(bytes_of(text)); }

Value text_value(std::string_view text) { return Value::of_text(text).value(); }
Value json_value(std::string_view json) { return Value::of_json(json).value(); }

Status status_of(const Json& status) {
    return status.is_null() ? Status::none : status.get<bool>() ? Status::ok : Status::failed;
}

Frame frame_of(const Json& vector) {
    const Json& message = vector.at("message");
    return {message.is_string() ? text_value(message.get<std::string>()) : json_value(message.dump()),
            status_of(vector.at("status"))};
}

TEST(ConfirmedFrame, every_vector_in_both_directions) {
    const Json all = vectors("message");
    EXPECT_GE(all.size(), 10u);
    for (const Json& vector : all) {
        const std::string text = vector.at("text");
        SCOPED_TRACE(text);
        const Frame frame = frame_of(vector);
        const auto decoded = decode_text(text);
        ASSERT_TRUE(decoded) << name_of(decoded.error());
        EXPECT_EQ(*decoded, frame);
        EXPECT_EQ(Json::parse(decoded->message.json()), vector.at("message"));
        // Compared by value, with an independent parser.
        const std::string encoded = encode(frame);
        EXPECT_EQ(Json::parse(encoded), Json::parse(text));
        EXPECT_LE(encoded.size(), text.size());
        EXPECT_EQ(decode_text(encoded), frame);
    }
}

TEST(ConfirmedFrame, every_bad_vector_is_refused_with_its_error) {
    const Json all = vectors("message_bad");
    const FrameError reasons[] = {FrameError::not_json,       FrameError::not_json,       FrameError::not_an_object,
                                  FrameError::missing_member, FrameError::missing_member, FrameError::wrong_status,
                                  FrameError::wrong_status,   FrameError::not_json};
    ASSERT_EQ(all.size(), std::size(reasons));
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto decoded = decode_text(all[i].get<std::string>());
        ASSERT_FALSE(decoded) << all[i];
        EXPECT_EQ(decoded.error(), reasons[i]) << all[i];
    }
}

TEST(ConfirmedFrame, encoded_form) {
    EXPECT_EQ(encode({text_value("Hello World"), Status::none}), R"({"message":"Hello World","status":null})");
    EXPECT_EQ(encode({text_value("ž山📮"), Status::ok}), R"({"message":"ž山📮","status":true})");
    EXPECT_EQ(encode({json_value(" [ 1 , { \"a\" : null } ] "), Status::failed}),
              R"({"message":[1,{"a":null}],"status":false})");
    EXPECT_EQ(encode({text_value({"\"\\\b\f\n\r\t\0\x1f\x7f/", 11}), Status::none}),
              R"({"message":"\"\\\b\f\n\r\t\u0000\u001f)"
              "\x7f"
              R"(/","status":null})");
}

TEST(ConfirmedFrame, decoded_values_are_preserved) {
    const struct {
        std::string_view json;
        std::string_view kept;
    } table[] = {
        {"null", "null"},
        {"true", "true"},
        {" false ", "false"},
        {"0", "0"},
        {"-7", "-7"},
        {"18446744073709551615", "18446744073709551615"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551616", "18446744073709551616"},  // more than 64 bits: kept as written
        {"2.50", "2.50"},
        {"1E3", "1E3"},
        {"3.14159265358979323846264338327950288", "3.14159265358979323846264338327950288"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"[ [ ] , { } , [ 1 ] ]", "[[],{},[1]]"},
        {"{ \"b\" : 1 , \"a\" : [ true , \"x\" ] , \"\" : { \"c\" : 2 } }", R"({"b":1,"a":[true,"x"],"":{"c":2}})"},
        {R"(["\u0041\/\ud83d\udcee\u0000"])", "[\"A/📮\\u0000\"]"},
    };
    for (const auto& [json, kept] : table) {
        const auto value = Value::of_json(json);
        ASSERT_TRUE(value) << json << ": " << name_of(value.error());
        EXPECT_FALSE(value->is_text());
        EXPECT_EQ(value->text(), kept);
        EXPECT_EQ(value->json(), kept);
    }
    EXPECT_EQ(json_value(R"("\u0041\n")"), text_value("A\n"));
    EXPECT_EQ(text_value("A\n").json(), R"("A\n")");
    EXPECT_NE(text_value("1"), json_value("1")) << "a string differs from the value with the same characters";
    EXPECT_EQ(Value(), text_value(""));
}

TEST(ConfirmedFrame, members_in_any_order_and_spelling) {
    const Frame frame{text_value("x"), Status::ok};
    for (const std::string_view text :
         {R"({"message":"x","status":true})", R"({"status":true,"message":"x"})",
          "\t{ \"status\" :\r\n true , \"message\" : \"x\" } \n", R"({"\u006dessage":"\u0078","\u0073tatus":true})"})
        EXPECT_EQ(decode_text(text), frame) << text;
}

TEST(ConfirmedFrame, each_error_has_a_name) {
    using namespace std::string_view_literals;
    const struct {
        std::string_view text;
        FrameError error;
    } table[] = {
        {"{\"message\":\"\xff\",\"status\":null}", FrameError::not_utf8},
        {"{\"message\":\"\xed\xa0\x80\",\"status\":null}", FrameError::not_utf8},
        {"\xef\xbb\xbf{\"message\":\"x\",\"status\":null}", FrameError::not_json},
        {" ", FrameError::not_json},
        {"nul", FrameError::not_json},
        {R"({"message":"x","status":nul})", FrameError::not_json},
        {R"({"message":"x","status":null)", FrameError::not_json},
        {R"({"message":"x",})", FrameError::not_json},
        {R"({"message":"x" "status":null})", FrameError::not_json},
        {R"({'message':'x','status':null})", FrameError::not_json},
        {R"({"message":NaN,"status":null})", FrameError::not_json},
        {R"({"message":1e999,"status":null})", FrameError::not_json},
        {R"({"message":01,"status":null})", FrameError::not_json},
        {R"({"message":"\udc00","status":null})", FrameError::not_json},
        {R"({"message":"\x41","status":null})", FrameError::not_json},
        {"{\"message\":\"a\nb\",\"status\":null}", FrameError::not_json},
        {R"(/* no */{"message":"x","status":null})", FrameError::not_json},
        {"{\"message\":\"\0\",\"status\":null}"sv, FrameError::not_json},
        {"\0"sv, FrameError::not_json},
        {R"({"message":"x","status":null}x)", FrameError::trailing_bytes},
        {R"({"message":"x","status":null}{})", FrameError::trailing_bytes},
        {"{\"message\":\"x\",\"status\":null}\0"sv, FrameError::trailing_bytes},
        {"{\"message\":\"x\",\"status\":null}\0x"sv, FrameError::trailing_bytes},
        {"null", FrameError::not_an_object},
        {"1", FrameError::not_an_object},
        {"\"message\"", FrameError::not_an_object},
        {"[{\"message\":\"x\",\"status\":null}]", FrameError::not_an_object},
        {R"({"message":"x","message":"y","status":null})", FrameError::duplicate_member},
        {R"({"message":"x","status":null,"status":null})", FrameError::duplicate_member},
        {R"({"message":"x","\u006dessage":"x","status":null})", FrameError::duplicate_member},
        {R"({"message":{"a":1,"b":2,"a":1},"status":null})", FrameError::duplicate_member},
        {R"({"message":[{"a":{"b":1,"b":2}}],"status":null})", FrameError::duplicate_member},
        {R"({"message":"x","status":null,"id":1})", FrameError::unknown_member},
        {R"({"Message":"x","status":null})", FrameError::unknown_member},
        {"{}", FrameError::missing_member},
        {R"({"message":"x"})", FrameError::missing_member},
        {R"({"status":true})", FrameError::missing_member},
        {R"({"message":"x","status":"true"})", FrameError::wrong_status},
        {R"({"message":"x","status":0})", FrameError::wrong_status},
        {R"({"message":"x","status":-1})", FrameError::wrong_status},
        {R"({"message":"x","status":1.5})", FrameError::wrong_status},
        {R"({"message":"x","status":[]})", FrameError::wrong_status},
        {R"({"message":"x","status":{}})", FrameError::wrong_status},
    };
    for (const auto& [text, error] : table) {
        const auto decoded = decode_text(text);
        ASSERT_FALSE(decoded) << testing::PrintToString(text);
        EXPECT_STREQ(name_of(decoded.error()), name_of(error)) << testing::PrintToString(text);
    }
}

TEST(ConfirmedFrame, equal_names_in_different_objects_are_not_duplicates) {
    EXPECT_TRUE(Value::of_json(R"([{"a":1},{"a":{"a":2}},{"message":1,"status":2}])"));
}

TEST(ConfirmedFrame, depth) {
    const auto nested = [](std::size_t arrays) {
        return "{\"message\":" + std::string(arrays, '[') + std::string(arrays, ']') + ",\"status\":null}";
    };
    constexpr std::size_t deepest = limits::confirmed_depth_max - 1;  // the frame itself is one level
    EXPECT_TRUE(decode_text(nested(deepest)));
    EXPECT_EQ(decode_text(nested(deepest + 1)).error(), FrameError::too_deep);
    EXPECT_EQ(decode_text(nested(30'000)).error(), FrameError::too_deep);
    const std::string objects = R"({"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1)";
    EXPECT_TRUE(Value::of_json(objects + std::string(15, '}')));
    EXPECT_EQ(Value::of_json("[" + objects + std::string(15, '}') + "]").error(), FrameError::too_deep);
}

TEST(ConfirmedFrame, a_value_cannot_break_out_of_its_frame) {
    for (const std::string_view json :
         {"", " ", "1,\"status\":true", "1,\"status\":null}", "1}", "1,\"x\":2", "1 2", "1,", "\"a", "1,\"message\":2"})
        EXPECT_FALSE(Value::of_json(json)) << json;
    EXPECT_FALSE(Value::of_text("\xff"));
    EXPECT_EQ(Value::of_json("\"\xff\"").error(), FrameError::not_utf8);
}

TEST(ConfirmedFrame, every_truncated_frame_is_refused) {
    const std::string text = encode({json_value(R"([1,-2.5,{"a":"ž\n"},true])"), Status::failed});
    ASSERT_TRUE(decode_text(text));
    for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(decode_text(text.substr(0, size))) << size;
}

TEST(ConfirmedFrame, any_text_is_preserved) {
    Random random(1);
    for (int i = 0; i < 2'000; ++i) {
        std::string text;
        for (std::uint64_t left = random() % 40; left > 0; --left) {
            const std::uint64_t pick = random();
            text += pick % 4 == 0 ? "ž" : pick % 4 == 1 ? "📮" : std::string(1, static_cast<char>(pick >> 8 & 0x7f));
        }
        const Frame frame{text_value(text), static_cast<Status>(i % 3)};
        ASSERT_EQ(decode_text(encode(frame)), frame) << testing::PrintToString(text);
        ASSERT_EQ(Value::of_json(frame.message.json()), frame.message);
    }
}

}  // namespace
}  // namespace ringpost::confirmed
