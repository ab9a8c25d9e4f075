import Foundation
import Peripherals
import Testing

@Suite struct CharacterFIFOTests {
  @Test func fifoOfMoreCharactersThanThereAreIsNoState() throws {
    let text = #"{"characters":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17],"errors":0}"#

    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(CharacterFIFO.self, from: Data(text.utf8))
    }
    let full = CharacterFIFO(characters: .max, errors: 0x8421, count: 16)
    let fifo = try JSONDecoder().decode(CharacterFIFO.self, from: JSONEncoder().encode(full))
    #expect(fifo == full)
  }
}
