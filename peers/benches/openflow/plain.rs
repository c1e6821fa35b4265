//! What one writes when there is no library: offsets by hand, copies, the few fields and actions that one needs.

/// A match field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    InPort(u32),
    Metadata(u64, Option<u64>),
    EthDst([u8; 6], Option<[u8; 6]>),
    EthSrc([u8; 6], Option<[u8; 6]>),
    EthType(u16),
    VlanVid(u16, Option<u16>),
    IpProto(u8),
    Ipv4Src([u8; 4], Option<[u8; 4]>),
    Ipv4Dst([u8; 4], Option<[u8; 4]>),
    TcpSrc(u16),
    TcpDst(u16),
    UdpSrc(u16),
    UdpDst(u16),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Output { port: u32, max_len: u16 },
    Group(u32),
    PopVlan,
    SetField(Field),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Instruction {
    Goto(u8),
    Apply(Vec<Action>),
    Write(Vec<Action>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct FlowMod {
    pub xid: u32,
    pub cookie: u64,
    pub cookie_mask: u64,
    pub table_id: u8,
    pub command: u8,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub priority: u16,
    pub buffer_id: u32,
    pub out_port: u32,
    pub out_group: u32,
    pub flags: u16,
    pub fields: Vec<Field>,
    pub instructions: Vec<Instruction>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PacketIn<'a> {
    pub xid: u32,
    pub buffer_id: u32,
    pub total_len: u16,
    pub reason: u8,
    pub table_id: u8,
    pub cookie: u64,
    pub fields: Vec<Field>,
    pub data: &'a [u8],
}

#[derive(Clone, Debug, PartialEq)]
pub struct FlowStats {
    pub table_id: u8,
    pub duration_sec: u32,
    pub duration_nsec: u32,
    pub priority: u16,
    pub idle_timeout: u16,
    pub hard_timeout: u16,
    pub flags: u16,
    pub cookie: u64,
    pub packet_count: u64,
    pub byte_count: u64,
    pub fields: Vec<Field>,
    pub instructions: Vec<Instruction>,
}

fn be<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    be(bytes, at).map(u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    be(bytes, at).map(u32::from_be_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    be(bytes, at).map(u64::from_be_bytes)
}

/// The body of the message, whose header is right.
fn message(bytes: &[u8], ty: u8) -> Option<(u32, &[u8])> {
    let right = bytes.first() == Some(&4) && bytes.get(1) == Some(&ty);
    let len = usize::from(u16_at(bytes, 2)?);
    if !right || len != bytes.len() {
        return None;
    }
    Some((u32_at(bytes, 4)?, &bytes[8..]))
}

fn field(bytes: &[u8]) -> Option<(Field, usize)> {
    if u16_at(bytes, 0)? != 0x8000 {
        return None;
    }
    let (number, len) = (bytes[2], usize::from(*bytes.get(3)?));
    let body = bytes.get(4..4 + len)?;
    let masked = number & 1 == 1;
    let size = if masked { len / 2 } else { len };
    let (value, mask) = body.split_at(size);
    let mask = masked.then_some(mask);
    fn exact<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
        value.try_into().ok()
    }
    fn both<const N: usize>(value: &[u8], mask: Option<&[u8]>) -> Option<([u8; N], Option<[u8; N]>)> {
        Some((exact(value)?, mask.map(exact).map_or(Some(None), |mask| mask.map(Some))?))
    }
    let field = match number >> 1 {
        0 => Field::InPort(u32::from_be_bytes(exact(value)?)),
        2 => {
            let (value, mask) = both(value, mask)?;
            Field::Metadata(u64::from_be_bytes(value), mask.map(u64::from_be_bytes))
        }
        3 => both(value, mask).map(|(value, mask)| Field::EthDst(value, mask))?,
        4 => both(value, mask).map(|(value, mask)| Field::EthSrc(value, mask))?,
        5 => Field::EthType(u16::from_be_bytes(exact(value)?)),
        6 => {
            let (value, mask) = both(value, mask)?;
            Field::VlanVid(u16::from_be_bytes(value), mask.map(u16::from_be_bytes))
        }
        10 => Field::IpProto(u8::from_be_bytes(exact(value)?)),
        11 => both(value, mask).map(|(value, mask)| Field::Ipv4Src(value, mask))?,
        12 => both(value, mask).map(|(value, mask)| Field::Ipv4Dst(value, mask))?,
        13 => Field::TcpSrc(u16::from_be_bytes(exact(value)?)),
        14 => Field::TcpDst(u16::from_be_bytes(exact(value)?)),
        15 => Field::UdpSrc(u16::from_be_bytes(exact(value)?)),
        16 => Field::UdpDst(u16::from_be_bytes(exact(value)?)),
        _ => return None,
    };
    Some((field, 4 + len))
}

/// The match at `at`, and where it ends with its padding.
fn matching(bytes: &[u8], at: usize) -> Option<(Vec<Field>, usize)> {
    if u16_at(bytes, at)? != 1 {
        return None;
    }
    let len = usize::from(u16_at(bytes, at + 2)?);
    let mut rest = bytes.get(at + 4..at + len)?;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (field, len) = field(rest)?;
        fields.push(field);
        rest = &rest[len..];
    }
    Some((fields, at + len.next_multiple_of(8)))
}

fn actions(mut bytes: &[u8]) -> Option<Vec<Action>> {
    let mut actions = Vec::new();
    while !bytes.is_empty() {
        let (ty, len) = (u16_at(bytes, 0)?, usize::from(u16_at(bytes, 2)?));
        if len < 8 || len % 8 != 0 {
            return None;
        }
        let body = bytes.get(4..len)?;
        actions.push(match ty {
            0 => Action::Output { port: u32_at(body, 0)?, max_len: u16_at(body, 4)? },
            18 => Action::PopVlan,
            22 => Action::Group(u32_at(body, 0)?),
            25 => Action::SetField(field(body)?.0),
            _ => return None,
        });
        bytes = &bytes[len..];
    }
    Some(actions)
}

fn instructions(mut bytes: &[u8]) -> Option<Vec<Instruction>> {
    let mut instructions = Vec::new();
    while !bytes.is_empty() {
        let (ty, len) = (u16_at(bytes, 0)?, usize::from(u16_at(bytes, 2)?));
        if len < 8 || len % 8 != 0 {
            return None;
        }
        let body = bytes.get(4..len)?;
        instructions.push(match ty {
            1 => Instruction::Goto(body[0]),
            3 => Instruction::Write(actions(&body[4..])?),
            4 => Instruction::Apply(actions(&body[4..])?),
            _ => return None,
        });
        bytes = &bytes[len..];
    }
    Some(instructions)
}

pub fn decode_flow_mod(bytes: &[u8]) -> Option<FlowMod> {
    let (xid, body) = message(bytes, 14)?;
    let (fields, end) = matching(body, 40)?;
    Some(FlowMod {
        xid,
        cookie: u64_at(body, 0)?,
        cookie_mask: u64_at(body, 8)?,
        table_id: body[16],
        command: body[17],
        idle_timeout: u16_at(body, 18)?,
        hard_timeout: u16_at(body, 20)?,
        priority: u16_at(body, 22)?,
        buffer_id: u32_at(body, 24)?,
        out_port: u32_at(body, 28)?,
        out_group: u32_at(body, 32)?,
        flags: u16_at(body, 36)?,
        fields,
        instructions: instructions(body.get(end..)?)?,
    })
}

pub fn decode_packet_in(bytes: &[u8]) -> Option<PacketIn<'_>> {
    let (xid, body) = message(bytes, 10)?;
    let (fields, end) = matching(body, 16)?;
    Some(PacketIn {
        xid,
        buffer_id: u32_at(body, 0)?,
        total_len: u16_at(body, 4)?,
        reason: body[6],
        table_id: body[7],
        cookie: u64_at(body, 8)?,
        fields,
        data: body.get(end + 2..)?,
    })
}

pub fn decode_flow_stats(bytes: &[u8]) -> Option<Vec<FlowStats>> {
    let (_, body) = message(bytes, 19)?;
    let mut rest = body.get(8..)?;
    let mut flows = Vec::new();
    while !rest.is_empty() {
        let len = usize::from(u16_at(rest, 0)?);
        let entry = rest.get(..len)?;
        let (fields, end) = matching(entry, 48)?;
        flows.push(FlowStats {
            table_id: entry[2],
            duration_sec: u32_at(entry, 4)?,
            duration_nsec: u32_at(entry, 8)?,
            priority: u16_at(entry, 12)?,
            idle_timeout: u16_at(entry, 14)?,
            hard_timeout: u16_at(entry, 16)?,
            flags: u16_at(entry, 18)?,
            cookie: u64_at(entry, 24)?,
            packet_count: u64_at(entry, 32)?,
            byte_count: u64_at(entry, 40)?,
            fields,
            instructions: instructions(entry.get(end..)?)?,
        });
        rest = &rest[len..];
    }
    Some(flows)
}

fn put_field(field: &Field, out: &mut Vec<u8>) {
    fn put<const N: usize>(number: u8, value: [u8; N], mask: Option<[u8; N]>, out: &mut Vec<u8>) {
        match mask {
            None => {
                out.extend_from_slice(&[0x80, 0, number << 1, N as u8]);
                out.extend_from_slice(&value);
            }
            Some(mask) => {
                out.extend_from_slice(&[0x80, 0, number << 1 | 1, 2 * N as u8]);
                out.extend_from_slice(&value);
                out.extend_from_slice(&mask);
            }
        }
    }
    match field {
        Field::InPort(v) => put(0, v.to_be_bytes(), None, out),
        Field::Metadata(v, m) => put(2, v.to_be_bytes(), m.map(u64::to_be_bytes), out),
        Field::EthDst(v, m) => put(3, *v, *m, out),
        Field::EthSrc(v, m) => put(4, *v, *m, out),
        Field::EthType(v) => put(5, v.to_be_bytes(), None, out),
        Field::VlanVid(v, m) => put(6, v.to_be_bytes(), m.map(u16::to_be_bytes), out),
        Field::IpProto(v) => put(10, [*v], None, out),
        Field::Ipv4Src(v, m) => put(11, *v, *m, out),
        Field::Ipv4Dst(v, m) => put(12, *v, *m, out),
        Field::TcpSrc(v) => put(13, v.to_be_bytes(), None, out),
        Field::TcpDst(v) => put(14, v.to_be_bytes(), None, out),
        Field::UdpSrc(v) => put(15, v.to_be_bytes(), None, out),
        Field::UdpDst(v) => put(16, v.to_be_bytes(), None, out),
    }
}

fn pad(out: &mut Vec<u8>, start: usize) {
    while (out.len() - start) % 8 != 0 {
        out.push(0);
    }
}

fn put_len(out: &mut [u8], start: usize, len: usize) {
    out[start + 2..start + 4].copy_from_slice(&(len as u16).to_be_bytes());
}

fn put_actions(actions: &[Action], out: &mut Vec<u8>) {
    for action in actions {
        let start = out.len();
        match action {
            Action::Output { port, max_len } => {
                out.extend_from_slice(&[0, 0, 0, 16]);
                out.extend_from_slice(&port.to_be_bytes());
                out.extend_from_slice(&max_len.to_be_bytes());
                out.extend_from_slice(&[0; 6]);
            }
            Action::Group(group) => {
                out.extend_from_slice(&[0, 22, 0, 8]);
                out.extend_from_slice(&group.to_be_bytes());
            }
            Action::PopVlan => out.extend_from_slice(&[0, 18, 0, 8, 0, 0, 0, 0]),
            Action::SetField(field) => {
                out.extend_from_slice(&[0, 25, 0, 0]);
                put_field(field, out);
                pad(out, start);
                let len = out.len() - start;
                put_len(out, start, len);
            }
        }
    }
}

pub fn encode_flow_mod(flow: &FlowMod, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[4, 14, 0, 0]);
    out.extend_from_slice(&flow.xid.to_be_bytes());
    out.extend_from_slice(&flow.cookie.to_be_bytes());
    out.extend_from_slice(&flow.cookie_mask.to_be_bytes());
    out.extend_from_slice(&[flow.table_id, flow.command]);
    out.extend_from_slice(&flow.idle_timeout.to_be_bytes());
    out.extend_from_slice(&flow.hard_timeout.to_be_bytes());
    out.extend_from_slice(&flow.priority.to_be_bytes());
    out.extend_from_slice(&flow.buffer_id.to_be_bytes());
    out.extend_from_slice(&flow.out_port.to_be_bytes());
    out.extend_from_slice(&flow.out_group.to_be_bytes());
    out.extend_from_slice(&flow.flags.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    let at = out.len();
    out.extend_from_slice(&[0, 1, 0, 0]);
    flow.fields.iter().for_each(|field| put_field(field, out));
    let len = out.len() - at;
    put_len(out, at, len);
    pad(out, at);
    for instruction in &flow.instructions {
        let at = out.len();
        match instruction {
            Instruction::Goto(table) => out.extend_from_slice(&[0, 1, 0, 8, *table, 0, 0, 0]),
            Instruction::Write(actions) | Instruction::Apply(actions) => {
                let ty = if matches!(instruction, Instruction::Write(_)) { 3 } else { 4 };
                out.extend_from_slice(&[0, ty, 0, 0, 0, 0, 0, 0]);
                put_actions(actions, out);
                let len = out.len() - at;
                put_len(out, at, len);
            }
        }
    }
    let len = out.len() - start;
    put_len(out, start, len);
}
