use super::*;
use crate::wire::IkeAttribute;

#[test]
fn attributes_have_two_forms() {
    let octets = [0x80, 1, 0, 7, 0, 12, 0, 4, 0, 0, 0x70, 0x80, 0x40, 0, 0, 0];
    let attributes = decode_list(&octets).expect("valid");
    let variable = |octets| AttributeValue::Variable(octets);
    assert_eq!(
        attributes,
        [
            Attribute { kind: 1, value: AttributeValue::Basic(7) },
            Attribute { kind: 12, value: variable(&[0, 0, 0x70, 0x80]) },
            Attribute { kind: 16384, value: variable(&[]) },
        ]
    );
    let numbers: Vec<_> = attributes.iter().map(Attribute::as_u64).collect();
    assert_eq!(numbers, [Some(7), Some(28_800), None]);
    let mut writer = Writer::new();
    encode_list(&attributes, &mut writer);
    assert_eq!(writer.as_slice(), octets);
}

#[test]
fn numbers_have_up_to_eight_octets() {
    let number = |octets| Attribute { kind: 12, value: AttributeValue::Variable(octets) }.as_u64();
    assert_eq!(number(&[1]), Some(1));
    assert_eq!(number(&[1, 0, 0]), Some(0x1_0000));
    assert_eq!(number(&[0xff; 8]), Some(u64::MAX));
    assert_eq!(number(&[0; 9]), None);
}

#[test]
fn numbers_are_basic_if_they_fit() {
    let mut list = AttributeWriter::new();
    list.number(IkeAttribute::LIFE_DURATION, 65_535).number(IkeAttribute::LIFE_DURATION, 65_536);
    list.long(12_u16, 5).variable(6_u16, &[9]);
    assert_eq!(list.to_vec(), [0x80, 12, 0xff, 0xff, 0, 12, 0, 4, 0, 1, 0, 0, 0, 12, 0, 4, 0, 0, 0, 5, 0, 6, 0, 1, 9]);
    assert_eq!(decode_list(&list.to_vec()), Ok(list.attributes()));
}

#[test]
fn cut_attributes_are_refused() {
    let fault = |octets: &[u8]| decode_list(octets).expect_err("cut").fault;
    assert_eq!(fault(&[0x80]), Fault::Truncated { field: "attribute type", needed: 2, there: 1 });
    assert_eq!(fault(&[0x80, 1, 0]), Fault::Truncated { field: "basic attribute value", needed: 2, there: 1 });
    assert_eq!(fault(&[0, 1, 0]), Fault::Truncated { field: "attribute length", needed: 2, there: 1 });
    let value = Fault::Truncated { field: "variable attribute value", needed: 2, there: 1 };
    assert_eq!(fault(&[0, 1, 0, 2, 9]), value);
}

#[test]
fn the_number_of_attributes_is_bounded() {
    let octets = [0x80, 1, 0, 7].repeat(MAX_ATTRIBUTES);
    assert_eq!(decode_list(&octets).map(|list| list.len()), Ok(MAX_ATTRIBUTES));
    let octets = [0x80, 1, 0, 7].repeat(MAX_ATTRIBUTES + 1);
    let error = decode_list(&octets).expect_err("one too many");
    assert_eq!(error.fault, Fault::TooMany { what: "attributes", max: MAX_ATTRIBUTES });
}
