"""What the site makes of the schema and of the modules of the surveys."""

import re
import sys

import pytest

from vo_lib.provenance import PACKAGE_ROOT

sys.path.append(str(PACKAGE_ROOT / "docs" / "generate"))
from schema import keys_of_the_configuration
from surveys import surveys_of_the_library


@pytest.mark.parametrize("make", [keys_of_the_configuration, surveys_of_the_library])
def test_units_are_taken_out_of_sentences_that_stay_whole(make):
    assert re.findall(r".{20} ?[,(] ?[;.,](?!\.).{20}", make(PACKAGE_ROOT)) == []


def test_powers_are_no_bold_text():
    prose = re.sub(r"`[^`]*`", "", surveys_of_the_library(PACKAGE_ROOT))
    assert re.findall(r"\d\*\*\d+", prose) == []
