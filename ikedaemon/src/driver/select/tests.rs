use super::DriverChoice;

#[test]
fn choices_have_names() {
    for choice in DriverChoice::ALL {
        assert_eq!(choice.name().parse(), Ok(choice));
    }
    let error = "XFRM".parse::<DriverChoice>().expect_err("names are in lower case").to_string();
    assert_eq!(error, "no SA driver is called \"XFRM\", allowed: auto, xfrm, pfkey, userspace, memory");
}
