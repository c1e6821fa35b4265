use super::*;

fn spec() -> VethSpec {
    VethSpec {
        host_name: "fp0".into(),
        alias: "flowport".into(),
        sandbox: Netns::named("a"),
        name: "eth1".into(),
        mac: [2, 0, 0, 0, 0, 1],
        mtu: None,
        addresses: vec!["10.0.0.2/24".parse().unwrap(), "fd00::2/64".parse().unwrap()],
        gateways: vec!["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()],
        routes: vec![route("192.168.0.0/16", Some("10.0.0.9")), route("172.16.0.0/12", None)],
        tx_checksum_offload: true,
    }
}

fn route(destination: &str, gateway: Option<&str>) -> Route {
    Route {
        destination: destination.parse().unwrap(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
    }
}

fn refused(change: impl FnOnce(&mut VethSpec)) -> SpecError {
    let mut changed = spec();
    change(&mut changed);
    changed.validate().unwrap_err()
}

#[test]
fn a_sensible_spec_is_valid() {
    assert_eq!(spec().validate(), Ok(()));
}

#[test]
fn names_are_those_the_kernel_takes() {
    for name in ["", ".", "..", "a b", "a/b", "a:1", "eth%d", "sixteen-bytes-xx"] {
        assert_eq!(refused(|spec| spec.name = name.into()), SpecError::Name { name: name.into() });
        assert_eq!(refused(|spec| spec.host_name = name.into()), SpecError::Name { name: name.into() });
    }
    assert!(is_link_name("fifteen-bytes-x"));
}

#[test]
fn group_and_zero_macs_are_refused() {
    for mac in [[0; 6], [0xff; 6], [1, 0, 0x5e, 0, 0, 1]] {
        assert!(matches!(refused(|spec| spec.mac = mac), SpecError::Mac { .. }));
    }
}

#[test]
fn an_mtu_below_1280_is_refused_with_ipv6_only() {
    assert_eq!(refused(|spec| spec.mtu = Some(1279)), SpecError::Mtu { mtu: 1279 });
    assert_eq!(refused(|spec| spec.mtu = Some(65536)), SpecError::Mtu { mtu: 65536 });
    let ipv4 = VethSpec {
        mtu: Some(576),
        addresses: vec!["10.0.0.2/24".parse().unwrap()],
        gateways: vec![],
        ..spec()
    };
    assert_eq!(ipv4.validate(), Ok(()));
}

#[test]
fn addresses_that_no_interface_can_have_are_refused() {
    for address in
        ["0.0.0.0/8", "224.0.0.1/24", "127.0.0.1/8", "10.0.0.255/24", "10.0.0.0/24", "::/64", "ff02::1/64"]
    {
        let address: IpNet = address.parse().unwrap();
        assert_eq!(refused(|spec| spec.addresses = vec![address]), SpecError::Address { address });
    }
    let point_to_point = |spec: &mut VethSpec| {
        spec.addresses = vec!["10.0.0.0/31".parse().unwrap(), "10.0.9.0/32".parse().unwrap()];
        spec.gateways = vec!["10.0.0.1".parse().unwrap()];
        spec.routes.clear();
    };
    let mut spec = spec();
    point_to_point(&mut spec);
    assert_eq!(spec.validate(), Ok(()));
}

#[test]
fn an_address_given_twice_is_refused_whatever_its_prefix() {
    let error = refused(|spec| spec.addresses.push("10.0.0.2/16".parse().unwrap()));
    assert_eq!(error, SpecError::DuplicateAddress { address: "10.0.0.2".parse().unwrap() });
}

#[test]
fn a_gateway_outside_every_subnet_is_refused() {
    let gateway: IpAddr = "10.0.1.1".parse().unwrap();
    assert_eq!(refused(|spec| spec.gateways = vec![gateway]), SpecError::GatewayUnreachable { gateway });
    let own: IpAddr = "10.0.0.2".parse().unwrap();
    assert_eq!(refused(|spec| spec.gateways = vec![own]), SpecError::GatewayIsOwn { gateway: own });
}

#[test]
fn a_second_default_route_of_a_family_is_refused_however_written() {
    let second = refused(|spec| spec.gateways.push("10.0.0.3".parse().unwrap()));
    assert!(matches!(second, SpecError::DuplicateRoute { .. }));
    let as_route = refused(|spec| spec.routes.push(route("0.0.0.0/0", Some("10.0.0.3"))));
    assert!(matches!(as_route, SpecError::DuplicateRoute { .. }));
}

#[test]
fn routes_with_host_bits_or_mixed_families_are_refused() {
    let error = refused(|spec| spec.routes.push(route("10.9.0.1/16", None)));
    assert!(error.to_string().ends_with("write 10.9.0.0/16"), "{error}");
    let mixed = refused(|spec| spec.routes.push(route("10.9.0.0/16", Some("fd00::1"))));
    assert!(matches!(mixed, SpecError::Families { .. }));
}
