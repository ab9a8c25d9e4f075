/// Where two sequences first differ, in a line; nil where they are the same.
///
/// For long ones, in place of `==` in an expectation: that would print both, and look for the shortest way from one to
/// the other with memory for each pair of elements.
public func firstDifference<Element: Equatable>(
  _ seen: some Sequence<Element>,
  _ expected: some Sequence<Element>
) -> String? {
  var (seenIterator, expectedIterator) = (seen.makeIterator(), expected.makeIterator())
  var place = 0
  while true {
    switch (seenIterator.next(), expectedIterator.next()) {
    case (nil, nil): return nil
    case (let seen?, let expected?) where seen == expected: place += 1
    case (let seen?, let expected?): return "at \(place): \(short(seen)) in place of \(short(expected))"
    case (let seen?, nil): return "at \(place): \(short(seen)), where the end was expected"
    case (nil, let expected?): return "the end at \(place), where \(short(expected)) was expected"
    }
  }
}

private func short(_ element: some Equatable) -> String {
  let text = "\(element)"
  return text.count <= 200 ? text : "\(text.prefix(200))…"
}
