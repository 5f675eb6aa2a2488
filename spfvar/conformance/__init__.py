"""The conformance kit: is a plugin's variant well made, before anybody relies on its figures?"""
