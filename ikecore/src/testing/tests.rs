use super::*;

#[test]
fn repeats_itself_however_it_is_asked() {
    let (mut one, mut two) = ([0; 100], [0; 100]);
    SeededRandom::new(7).fill(&mut one).unwrap();
    let mut random = SeededRandom::new(7);
    for piece in two.chunks_mut(9) {
        random.fill(piece).unwrap();
    }
    assert_eq!(one, two);
    let (head, tail) = one.split_at(50);
    assert_ne!(head, tail);
    let mut other = [0; 100];
    SeededRandom::new(8).fill(&mut other).unwrap();
    assert_ne!(one, other);
}
