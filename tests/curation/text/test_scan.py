from tests.oracles import Document
import sys
def test_a():
    print(sys.modules["tests"].__path__, sys.modules["tests.oracles"].__file__)
