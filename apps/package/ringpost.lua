-- Wireshark dissectors for what ringpost sends: gtUDP, confirmed messages, adverts and frames of named devices, struct
-- messages, beacons, and the frames of load and latency.
--
-- Formats with a checksum or a fixed begin are recognised in UDP datagrams of any port. gtUDP has neither: its ports, or
-- "Decode As", say where it is. Its magic and types are preferences, as are the TCP port of named devices and the rest.
-- A format that another dissector claims by its port is chosen by "Decode As".

-- Shown at a checksum that does not fit. Each protocol has its own.
local function add_bad_check(proto)
    local info = ProtoExpert.new(proto.name:lower() .. ".bad_check", "The checksum is wrong", expert.group.CHECKSUM,
                                 expert.severity.WARN)
    proto.experts = { info }
    return info
end

local function unhex(text) return (text:gsub("%X", ""):gsub("%x%x", function(h) return string.char(tonumber(h, 16)) end)) end

local function within(text, place) return text:sub(place[1], place[2]) end

local function little_endian(bytes, at, count)
    local value = 0
    for i = count, 1, -1 do value = value * 256 + bytes:byte(at + i - 1) end
    return value
end

local function big_endian(bytes, at, count) return little_endian(bytes:sub(at, at + count - 1):reverse(), 1, count) end

local crc_table = {}
for i = 0, 255 do
    local crc = i
    for _ = 1, 8 do crc = bit.bxor(bit.rshift(crc, 1), bit.band(crc, 1) == 1 and 0x82F63B78 or 0) end
    crc_table[i] = crc
end

-- CRC-32C as a number from 0 to 2^32 - 1.
local function crc32c(bytes)
    local crc = 0xFFFFFFFF
    for i = 1, #bytes do
        crc = bit.bxor(bit.rshift(crc, 8), crc_table[bit.band(bit.bxor(crc, bytes:byte(i)), 0xFF)])
    end
    return bit.bnot(crc) % 2 ^ 32
end

local function adler32(bytes)
    local a, b = 1, 0
    for i = 1, #bytes do
        a = (a + bytes:byte(i)) % 65521
        b = (b + a) % 65521
    end
    return b * 65536 + a
end

-- A protocol that is recognised by what `recognise` says of the bytes, and can be chosen for any UDP port.
local function add_heuristic(proto, recognise)
    proto:register_heuristic("udp", function(tvb, pinfo, tree)
        if not recognise(tvb:raw()) then return false end
        proto.dissector(tvb, pinfo, tree)
        return true
    end)
    DissectorTable.get("udp.port"):add_for_decode_as(proto)
end

-- gtUDP: magic | type | identity | data

local gtudp = Proto("ringpost_gtudp", "gtUDP")
local gtudp_fields = {
    magic = ProtoField.bytes("ringpost_gtudp.magic", "Magic"),
    type = ProtoField.bytes("ringpost_gtudp.type", "Type"),
    kind = ProtoField.string("ringpost_gtudp.kind", "Kind"),
    identity = ProtoField.uint32("ringpost_gtudp.identity", "Identity", base.HEX),
    data = ProtoField.bytes("ringpost_gtudp.data", "Data"),
    crc = ProtoField.uint32("ringpost_gtudp.crc", "CRC-32C", base.HEX),
}
gtudp.fields = gtudp_fields
local gtudp_bad = add_bad_check(gtudp)
gtudp.prefs.ports = Pref.range("UDP ports", "", "Where gtUDP is expected", 65535)
gtudp.prefs.magic = Pref.string("Magic", "", "Prefix of every datagram, hexadecimal (--magic)")
gtudp.prefs.types = Pref.string("Types", "1d,5f,ae", "Types of DATA, RECV and ACK, hexadecimal (--types)")
gtudp.prefs.checked = Pref.bool("Checked", false, "Messages end with a CRC-32C (--checked)")

function gtudp.dissector(tvb, pinfo, tree)
    local bytes, magic = tvb:raw(), unhex(gtudp.prefs.magic)
    local kinds, width = {}, 0
    for hex in gtudp.prefs.types:gmatch("%x+") do
        kinds[unhex(hex)] = ({ "DATA", "RECV", "ACK" })[width + 1]
        width = width + 1
    end
    width = #unhex(gtudp.prefs.types:match("%x+") or "")
    local kind = kinds[bytes:sub(#magic + 1, #magic + width)]
    local data = #magic + width + 4
    if bytes:sub(1, #magic) ~= magic or not kind or #bytes < data then return 0 end
    pinfo.cols.protocol = "gtUDP"
    pinfo.cols.info = string.format("%s %08x", kind, tvb(data - 4, 4):uint())
    local sub = tree:add(gtudp, tvb(), "gtUDP " .. kind)
    if #magic > 0 then sub:add(gtudp_fields.magic, tvb(0, #magic)) end
    sub:add(gtudp_fields.type, tvb(#magic, width))
    sub:add(gtudp_fields.kind, tvb(#magic, width), kind)
    sub:add(gtudp_fields.identity, tvb(data - 4, 4))
    local ends = #bytes
    if gtudp.prefs.checked and kind == "DATA" and ends - data >= 4 then
        ends = ends - 4
        local crc = sub:add(gtudp_fields.crc, tvb(ends, 4))
        if crc32c(bytes:sub(1, ends)) ~= tvb(ends, 4):uint() then crc:add_proto_expert_info(gtudp_bad) end
    end
    if ends > data then sub:add(gtudp_fields.data, tvb(data, ends - data)) end
    return #bytes
end

local gtudp_ports = ""
function gtudp.prefs_changed()
    local ports = DissectorTable.get("udp.port")
    if gtudp_ports ~= "" then ports:remove(gtudp_ports, gtudp) end
    gtudp_ports = gtudp.prefs.ports
    if gtudp_ports ~= "" then ports:add(gtudp_ports, gtudp) end
end
DissectorTable.get("udp.port"):add_for_decode_as(gtudp)

-- Confirmed messages: a JSON object of exactly two members.

local confirmed = Proto("ringpost_confirmed", "Confirmed message")
local confirmed_fields = {
    message = ProtoField.string("ringpost_confirmed.message", "Message (JSON)"),
    status = ProtoField.string("ringpost_confirmed.status", "Status"),
}
confirmed.fields = confirmed_fields
local meanings = { null = "message", ["true"] = "confirmation", ["false"] = "failure report" }

-- The index behind the JSON value at `at`, or nil.
local function json_value_end(text, at)
    local depth, quoted = 0, false
    local scalar = text:match("^[%w.+-]+()", at)
    if scalar then return scalar end
    while at <= #text do
        local c = text:sub(at, at)
        if quoted and c == "\\" then
            at = at + 1
        elseif c == '"' then
            quoted = not quoted
        elseif not quoted and c:find("[%[{]") then
            depth = depth + 1
        elseif not quoted and c:find("[%]}]") then
            depth = depth - 1
        end
        at = at + 1
        if depth == 0 and not quoted then return c:find('[%]}"]') and at or nil end
    end
end

-- Begin and end of each member's value, or nil.
local function json_members(text)
    local at, found = text:match("^%s*{%s*()"), {}
    while at do
        local name, value = text:match('^"(%a+)"%s*:%s*()', at)
        local ends = value and json_value_end(text, value)
        if not ends or found[name] then return nil end
        found[name] = { value, ends - 1 }
        at = text:match("^%s*,%s*()", ends)
        if not at then return text:match("^%s*}%s*$", ends) and found end
    end
end

local function confirmed_members(text)
    local found = json_members(text)
    local fit = found and found.message and found.status and meanings[within(text, found.status)]
    if not fit then return nil end
    for name in pairs(found) do
        if name ~= "message" and name ~= "status" then return nil end
    end
    return found
end

function confirmed.dissector(tvb, pinfo, tree)
    local text = tvb:raw()
    local found = confirmed_members(text)
    if not found then return 0 end
    local sub = tree:add(confirmed, tvb())
    for name, place in pairs(found) do
        local range = tvb(place[1] - 1, place[2] - place[1] + 1)
        sub:add(confirmed_fields[name], range, range:string(ENC_UTF_8))
    end
    pinfo.cols.protocol = "confirmed"
    pinfo.cols.info = meanings[within(text, found.status)] .. ": " .. within(text, found.message)
    return #text
end
add_heuristic(confirmed, confirmed_members)

-- Named devices: adverts.

local advert = Proto("ringpost_advert", "Advert of a named device")
local advert_fields = {
    kind = ProtoField.string("ringpost_advert.kind", "Kind"),
    name = ProtoField.string("ringpost_advert.name", "Name"),
}
advert.fields = advert_fields

local function advert_kind(bytes) return bytes:match("^(hello):,:.") or bytes:match("^(alive):,:.") end

function advert.dissector(tvb, pinfo, tree)
    local kind = advert_kind(tvb:raw())
    if not kind then return 0 end
    local sub = tree:add(advert, tvb())
    sub:add(advert_fields.kind, tvb(0, 5), kind)
    sub:add(advert_fields.name, tvb(8), tvb(8):string(ENC_UTF_8))
    pinfo.cols.protocol = "devices"
    pinfo.cols.info = kind .. " " .. tvb(8):string(ENC_UTF_8)
    return tvb:len()
end
add_heuristic(advert, advert_kind)

-- Named devices: frames in a TCP stream, each ended by /EOL.

local device = Proto("ringpost_device", "Named device")
local device_fields = {
    kind = ProtoField.string("ringpost_device.kind", "Kind"),
    key = ProtoField.uint64("ringpost_device.key", "Key"),
    text = ProtoField.string("ringpost_device.text", "Text"),
}
device.fields = device_fields
device.prefs.port = Pref.uint("TCP port", 4112, "The port of all devices (--tcp-port)")

-- Kind, place of the key, place of the text.
local function device_frame(body)
    local prefix = body:match("^(%a+):,:")
    local kind = prefix and ({ MeSsAgE = "message", QuEsTiOn = "question", AnSwEr = "answer" })[prefix]
    if kind == "message" then return kind, nil, #prefix + 3 end
    local key_end = kind and body:match("^%d+():,:", #prefix + 4)
    if key_end then return kind, { #prefix + 3, key_end - 1 }, key_end + 2 end
    if body == "PiNg" then return "ping" end
    if body == "quitQUITquit" then return "quit" end
    return "name", nil, 0
end

local function add_device_frame(tvb, at, size, tree)
    local kind, key, text = device_frame(tvb(at, size - 4):raw())
    local sub = tree:add(device, tvb(at, size), "Named device: " .. kind)
    sub:add(device_fields.kind, tvb(at, size), kind)
    if key then
        local range = tvb(at + key[1], key[2] - key[1])
        sub:add(device_fields.key, range, UInt64(tonumber(range:string()) % 2 ^ 32, math.floor(tonumber(range:string()) / 2 ^ 32)))
    end
    if text and text < size - 4 then
        local range = tvb(at + text, size - 4 - text)
        sub:add(device_fields.text, range, range:string(ENC_UTF_8))
    end
    return kind
end

function device.dissector(tvb, pinfo, tree)
    local bytes, at, kinds = tvb:raw(), 1, {}
    for ends in bytes:gmatch("/EOL()") do
        if ends - at > 4 then kinds[#kinds + 1] = add_device_frame(tvb, at - 1, ends - at, tree) end
        at = ends
    end
    if at <= #bytes then
        pinfo.desegment_offset = at - 1
        pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
    end
    pinfo.cols.protocol = "devices"
    pinfo.cols.info = table.concat(kinds, ", ")
    return #bytes
end

local device_port
local function follow_port()
    local ports = DissectorTable.get("tcp.port")
    if device_port then ports:remove(device_port, device) end
    device_port = device.prefs.port
    ports:add(device_port, device)
end
follow_port()
device.prefs_changed = follow_port

-- Struct messages: packets among any bytes.

local struct_message = Proto("ringpost_struct", "Struct message")
local struct_fields = {
    id = ProtoField.uint16("ringpost_struct.id", "Id"),
    size = ProtoField.uint16("ringpost_struct.size", "Size"),
    check = ProtoField.uint8("ringpost_struct.check", "XOR of the payload", base.HEX),
    payload = ProtoField.bytes("ringpost_struct.payload", "Payload"),
    skipped = ProtoField.bytes("ringpost_struct.skipped", "Skipped"),
}
struct_message.fields = struct_fields

-- The size of the whole packet at `at`, or nil.
local function struct_size(bytes, at)
    if bytes:sub(at, at + 1) ~= "\255\255" or #bytes < at + 6 then return nil end
    local size, check = little_endian(bytes, at + 4, 2), bytes:byte(at + 6)
    if size < 7 or at + size - 1 > #bytes then return nil end
    for i = at + 7, at + size - 1 do check = bit.bxor(check, bytes:byte(i)) end
    return check == 0 and size or nil
end

-- Begin and size of the next packet from `at` on.
local function next_struct(bytes, at)
    at = bytes:find("\255\255", at, true)
    while at do
        local size = struct_size(bytes, at)
        if size then return at, size end
        at = bytes:find("\255\255", at + 1, true)
    end
end

function struct_message.dissector(tvb, pinfo, tree)
    local bytes, at, ids = tvb:raw(), 1, {}
    while at <= #bytes do
        local begin, size = next_struct(bytes, at)
        local behind = begin or #bytes + 1
        if behind > at then tree:add(struct_fields.skipped, tvb(at - 1, behind - at)) end
        if not begin then break end
        local sub = tree:add(struct_message, tvb(begin - 1, size))
        sub:add_le(struct_fields.id, tvb(begin + 1, 2))
        sub:add_le(struct_fields.size, tvb(begin + 3, 2))
        sub:add(struct_fields.check, tvb(begin + 5, 1))
        if size > 7 then sub:add(struct_fields.payload, tvb(begin + 6, size - 7)) end
        ids[#ids + 1] = little_endian(bytes, begin + 2, 2)
        at = begin + size
    end
    pinfo.cols.protocol = "struct"
    pinfo.cols.info = "id " .. table.concat(ids, ", ")
    return #bytes
end
add_heuristic(struct_message, function(bytes) return next_struct(bytes, 1) end)

-- Beacons: Adler-32 | time | address | port | quote

local beacon = Proto("ringpost_beacon", "Beacon")
local beacon_fields = {
    check = ProtoField.uint32("ringpost_beacon.check", "Adler-32", base.HEX),
    time = ProtoField.uint64("ringpost_beacon.time", "Time (s since 1970)"),
    address = ProtoField.ipv4("ringpost_beacon.address", "Listens at"),
    port = ProtoField.uint16("ringpost_beacon.port", "Port"),
    quote = ProtoField.string("ringpost_beacon.quote", "Quote"),
}
beacon.fields = beacon_fields
local beacon_bad = add_bad_check(beacon)

local function whole_beacon(bytes) return #bytes >= 18 and adler32(bytes:sub(5)) == big_endian(bytes, 1, 4) end

function beacon.dissector(tvb, pinfo, tree)
    if tvb:len() < 18 then return 0 end
    local sub = tree:add(beacon, tvb())
    local check = sub:add(beacon_fields.check, tvb(0, 4))
    if not whole_beacon(tvb:raw()) then check:add_proto_expert_info(beacon_bad) end
    sub:add(beacon_fields.time, tvb(4, 8))
    sub:add(beacon_fields.address, tvb(12, 4))
    sub:add(beacon_fields.port, tvb(16, 2))
    local quote = tvb:len() > 18 and tvb(18):string(ENC_UTF_8) or ""
    if quote ~= "" then sub:add(beacon_fields.quote, tvb(18), quote) end
    pinfo.cols.protocol = "beacon"
    pinfo.cols.info = quote
    return tvb:len()
end
add_heuristic(beacon, whole_beacon)

-- Frames of load and latency: CRC-32C | stream | sequence | due | fill

local load_frame = Proto("ringpost_load", "Load frame")
local load_fields = {
    crc = ProtoField.uint32("ringpost_load.crc", "CRC-32C", base.HEX),
    stream = ProtoField.uint32("ringpost_load.stream", "Stream", base.HEX),
    answer = ProtoField.bool("ringpost_load.answer", "Answer"),
    sequence = ProtoField.uint64("ringpost_load.sequence", "Sequence"),
    due = ProtoField.uint64("ringpost_load.due", "Due (ns)"),
}
load_frame.fields = load_fields
local load_frame_bad = add_bad_check(load_frame)

local function whole_load_frame(bytes)
    return #bytes >= 24 and bytes:sub(15, 16) == "\0\0" and crc32c(bytes:sub(5)) == little_endian(bytes, 1, 4)
end

function load_frame.dissector(tvb, pinfo, tree)
    if tvb:len() < 24 then return 0 end
    local sub = tree:add(load_frame, tvb())
    local crc = sub:add_le(load_fields.crc, tvb(0, 4))
    if not whole_load_frame(tvb:raw()) then crc:add_proto_expert_info(load_frame_bad) end
    sub:add_le(load_fields.stream, tvb(4, 4))
    sub:add(load_fields.answer, tvb(7, 1), tvb(7, 1):uint() >= 128)
    sub:add_le(load_fields.sequence, tvb(8, 8))
    sub:add_le(load_fields.due, tvb(16, 8))
    pinfo.cols.protocol = "load"
    pinfo.cols.info = string.format("stream %08x, sequence %s", tvb(4, 4):le_uint(), tostring(tvb(8, 8):le_uint64()))
    return tvb:len()
end
add_heuristic(load_frame, whole_load_frame)
