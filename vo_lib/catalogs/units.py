"""Units of columns, in any of the usual notations."""

__all__ = ["unit_factor"]

_UNIT_NAMES = {"degrees": "deg", "radians": "rad", "hours": "h", "hourangle": "h"}
_UNIT_NAMES |= {"days": "d", "minutes": "min", "seconds": "s", "sec": "s"}


def unit_factor(given, wanted):
    """Return the factor that converts numbers from one unit to another.

    Parameters
    ----------
    given : str
        Unit as in a file, in any of the usual notations; hours become degrees as hour angles, and magnitudes of all
        systems are the same unit.
    wanted : str
        Unit in the notation of astropy.

    Returns
    -------
    float or None
        None for an unknown unit.

    Raises
    ------
    ValueError
        If the unit is known but of another kind.
    """
    from astropy import units as u

    is_known = False
    for style in ("generic", "fits", "vounit", "cds"):
        try:
            unit = u.Unit(_UNIT_NAMES.get(given.lower(), given), format=style)
            is_known = True
            if isinstance(unit, u.FunctionUnitBase):  # [deg] is a logarithmic unit, which no factor converts
                continue
            return unit.to(u.hour) * 15.0 if wanted == "deg" and unit.is_equivalent(u.hour) else unit.to(wanted)
        except (ValueError, TypeError):
            continue
    if wanted == "mag" and "mag" in given.lower():
        return 1.0  # mag(AB), Vega mag: the system is handled elsewhere
    if is_known:
        raise ValueError(f"'{given}' cannot be turned into {wanted}")
    return None
