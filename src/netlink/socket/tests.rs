use super::*;

fn extended_ack(errno: i32, text: &str) -> Vec<u8> {
    let mut payload = errno.to_ne_bytes().to_vec();
    payload.extend([0; NLMSG_HEADER]);
    payload.extend(u16::try_from(4 + text.len() + 1).unwrap().to_ne_bytes());
    payload.extend(NLMSGERR_ATTR_MSG.to_ne_bytes());
    payload.extend(text.as_bytes());
    payload.push(0);
    payload
}

#[test]
fn an_ack_is_no_refusal() {
    assert_eq!(refusal(NLM_F_CAPPED, &[0; 20]), Ok(()));
}

#[test]
fn the_kernels_explanation_is_kept() {
    let flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
    let refused = refusal(flags, &extended_ack(-22, "Invalid prefix length")).unwrap_err();
    assert_eq!(refused, Refusal { errno: 22, text: Some("Invalid prefix length".into()) });
    assert!(refused.to_string().ends_with(": Invalid prefix length"), "{refused}");
}

#[test]
fn a_refusal_that_is_cut_short_still_tells_its_errno() {
    for length in 4..24 {
        let payload = extended_ack(-17, "x").get(..length).unwrap().to_vec();
        let refused = refusal(NLM_F_CAPPED | NLM_F_ACK_TLVS, &payload).unwrap_err();
        assert_eq!(refused, Refusal { errno: 17, text: None });
    }
}

#[test]
fn the_loopback_link_is_found_and_a_missing_one_is_refused_with_enodev() {
    let mut socket = Socket::route().unwrap();
    let mut names = Vec::new();
    let results = ["lo", "not-there"].map(|name| {
        let request = super::super::message::link_named(name);
        socket
            .request(0, request, |answer| {
                names.extend(super::super::Link::parse(answer.payload).map(|link| link.name));
            })
            .unwrap()
    });
    assert_eq!(names, ["lo"]);
    assert_eq!(results[0], Ok(()));
    assert_eq!(results[1].as_ref().map_err(|refusal| refusal.errno), Err(19));
}

#[test]
fn more_requests_than_fit_one_datagram_are_answered_in_order() {
    let mut socket = Socket::route().unwrap();
    let requests = (0..3 * BATCH).map(|nth| {
        let name = if nth % 2 == 0 { "lo" } else { "not-there" };
        (0, super::super::message::link_named(name))
    });
    let results = socket.batch(requests.collect()).unwrap();
    assert_eq!(results.len(), 3 * BATCH);
    assert!(results.iter().enumerate().all(|(nth, result)| result.is_ok() == (nth % 2 == 0)));
}
