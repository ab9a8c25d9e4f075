import Apus
import Testing

@Suite struct UUIDTests {
  @Test func aUUIDIsReadAndWritten() throws {
    let uuid = try #require(Configuration.UUID("123e4567-E89B-42d3-a456-426614174000"))

    #expect(uuid.description == "123e4567-e89b-42d3-a456-426614174000")
    #expect(uuid.bytes.prefix(4) == [0x12, 0x3E, 0x45, 0x67])
    #expect(uuid.bytes.count == 16)
  }

  @Test(arguments: [
    "", "123e4567e89b42d3a456426614174000", "123e4567-e89b-42d3-a456-42661417400",
    "123e4567-e89b-42d3-a456-4266141740000",
    "123e456g-e89b-42d3-a456-426614174000", "{123e4567-e89b-42d3-a456-426614174000}",
    "123e4567-e89b-42d3-a456-42661417400é", "123e-4567e89b-42d3-a456-426614174000",
    "１23e4567-e89b-42d3-a456-4266141740",
  ])
  func whatIsNoUUIDIsRefused(text: String) {
    #expect(Configuration.UUID(text) == nil)
  }

  @Test func aRandomUUIDIsOfVersion4AndDiffersFromTheNext() {
    let uuid = Configuration.UUID.random()

    #expect(uuid.bytes[6] >> 4 == 4)
    #expect(uuid.bytes[8] >> 6 == 0b10)
    #expect(uuid != Configuration.UUID.random())
  }
}
