"""A survey of one's own in the workflow."""

import h5py
from servers.alerce import AlerceServer, synthetic_detections


def test_a_plug_in_is_downloaded_reduced_and_analysed_like_any_survey(workspace):
    workspace.catalog.write_text("name,ra,dec\na,150.0,2.0\nb,151.0,2.0\n")
    objects = {"ZTF18a": (150.0, 2.0, synthetic_detections(150.0, 2.0))}
    with AlerceServer(objects) as server:
        section = {"class": "extensions.alerce:VirtualALeRCE", "url": server.address}
        workspace.config["observatories"] = {"demo": None, "alerce": section}
        run = workspace.run()
        assert run.status == 0, run.output
        assert workspace.run().idle
        assert len(server.requests) == 3
    with h5py.File(workspace.product("ALERCE_photometry_RA150_reduced.h5")) as file:
        assert set(file["index"]["filter"].astype(str)) == {"alerce-g", "alerce-r"}
    workspace.config["observatories"]["alerce"]["url"] = "http://127.0.0.1:1/moved"
    assert workspace.plan().idle
    workspace.config["observatories"]["alerce"]["radius_arcsec"] = 3
    assert workspace.plan().jobs["download"] == 2
